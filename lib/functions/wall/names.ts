/**
 * @module
 * How the program starts itself as stage 1 of a function host. Apart from it, since every command
 * must know the name.
 */

/** The hidden subcommand. */
export const STAGE_COMMAND = "function-wall";
/** Its argument as stage 2 of a check: tells what the kernel refuses to it. */
export const CHECK_ARGUMENT = "check";
