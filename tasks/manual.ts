/**
 * @module
 * Writes what comes with the executable, from the table of subcommands: the man page `msp.1`, and
 * completions for bash, zsh and fish. `deno task manual`.
 */
import { runTool, type Tool } from "../bench/tool.ts";
import type { Command } from "../cli/command.ts";
import { COMMANDS, programHelp } from "../cli/commands.ts";
import { VERSION } from "../lib/version.ts";

/** An option as the help text has it: `  --port PORT   text`. */
interface OptionHelp {
  readonly name: string;
  /** What its value is called; empty for a flag. */
  readonly value: string;
  readonly text: string;
}

function optionsOf({ details, usage }: Command): OptionHelp[] {
  const described = [...details.matchAll(/^ {2}--([a-z-]+)(?: ([A-Z]+))? {2,}(.+)$/gm)]
    .map(([, name = "", value = "", text = ""]) => ({ name, value, text }));
  const named = [...usage.matchAll(/--([a-z-]+)(?: ([A-Z]+))?/g)]
    .map(([, name = "", value = ""]) => ({ name, value, text: "" }))
    .filter(({ name }) => !described.some((each) => each.name === name));
  return [...described, ...named];
}

/** Text for roff: what has a meaning there is escaped. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^([.'])/gm, "\\&$1");
}

function manPage(): string {
  const [, purpose = ""] = /^Mini Share Point: (.+)\.$/m.exec(programHelp()) ?? [];
  const parts = [
    `.TH MSP 1 "" "msp ${VERSION}" "Mini Share Point"`,
    `.SH NAME\nmsp \\- ${roff(purpose)}`,
    `.SH SYNOPSIS\n.B msp\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]`,
    ".SH COMMANDS",
  ];
  for (const command of COMMANDS) {
    const example = `.RE\nExample:\n.RS\n.nf\n${roff(command.example)}\n.fi\n.RE`;
    const details = `.RS\n.nf\n${roff(command.details)}\n.fi`;
    parts.push(`.SS msp ${roff(command.usage)}\n${roff(command.summary)}.\n${details}\n${example}`);
  }
  parts.push(
    ".SH EXIT STATUS\n0 when it is done, 1 when it failed, 2 for wrong usage.",
    ".SH FILES\nconfig/config.ini, config/modules.ini, modules/, sec/, log/ in the working folder.",
  );
  return `${parts.join("\n")}\n`;
}

function bashCompletion(): string {
  const cases = COMMANDS.map((command) => {
    const words = optionsOf(command).map(({ name }) => `--${name}`).join(" ");
    return `    ${command.name}) words="${words}" ;;`;
  });
  return `# Completion of msp for bash
_msp() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${COMMANDS.map(({ name }) => name).join(" ")} --help --version"
  else
    case \${COMP_WORDS[1]} in
${cases.join("\n").replaceAll("    ", "      ")}
      *) words="" ;;
    esac
    case \${COMP_WORDS[COMP_CWORD-1]} in
      keygen) words="private public pair" ;;
      help) words="${COMMANDS.map(({ name }) => name).join(" ")}" ;;
    esac
  fi
  local word
  for word in $words; do
    [[ $word == "$current"* ]] && COMPREPLY+=("$word")
  done
  # Nothing of ours begins so: a file.
  [ "\${#COMPREPLY[@]}" -gt 0 ] || compopt -o default 2>/dev/null
}
complete -F _msp msp
`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zshCompletion(): string {
  const escape = (text: string): string => text.replace(/[:\[\]\\]/g, "\\$&");
  const names = COMMANDS.map(({ name, summary }) => `    ${quoted(`${name}:${escape(summary)}`)}`);
  const cases = COMMANDS.map((command) => {
    const options = optionsOf(command).map(({ name, value, text }) =>
      quoted(`--${name}[${escape(text)}]${value === "" ? "" : `:${value}:_files`}`)
    );
    return `    ${command.name}) _arguments -s ${[...options, quoted("*: :_files")].join(" ")} ;;`;
  });
  return `#compdef msp
_msp() {
  local -a commands
  commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
_msp "$@"
`;
}

function fishCompletion(): string {
  const lines = COMMANDS.flatMap((command) => {
    const { name, summary } = command;
    const options = optionsOf(command).map((option) => {
      const value = option.value === "" ? "" : " -r";
      const text = option.text === "" ? "" : ` -d ${quoted(option.text)}`;
      return `complete -c msp -n '__fish_seen_subcommand_from ${name}' -l ${option.name}${value}${text}`;
    });
    return [
      `complete -c msp -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...options,
    ];
  });
  return `# Completion of msp for fish\n${lines.join("\n")}\n`;
}

/** The files, by their names. */
export const MANUAL: Readonly<Record<string, string>> = {
  "msp.1": manPage(),
  "msp.bash": bashCompletion(),
  "_msp": zshCompletion(),
  "msp.fish": fishCompletion(),
};

const TOOL = {
  name: "manual",
  about: "Writes the man page msp.1, and completions for bash, zsh and fish.",
  options: { output: { value: "FOLDER", meaning: "the folder to write to (dist/share)" } },
} satisfies Tool<string>;

if (import.meta.main) {
  await runTool(TOOL, async ({ values: { output = "dist/share" } }) => {
    await Deno.mkdir(output, { recursive: true });
    for (const [name, text] of Object.entries(MANUAL)) {
      await Deno.writeTextFile(`${output}/${name}`, text);
    }
  });
}
