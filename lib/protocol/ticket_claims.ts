/**
 * @module
 * The promise that a call runs at most once, for protocol v2: each number of a ticket is used once. Nothing
 * is on disk: after a restart no ticket of before can be opened.
 */
import type { ClaimResult, Claims } from "../replay/claims.ts";
import type { Tickets } from "./tickets.ts";
import type { NumberClaim } from "./v2_exchange.ts";

const RESULTS = { fresh: "fresh", seen: "replayed", retired: "retired_ticket" } as const;

/** Claims numbers of tickets. */
export class TicketClaims implements Claims<NumberClaim> {
  readonly #tickets: Tickets;

  constructor(tickets: Tickets) {
    this.#tickets = tickets;
  }

  claim({ ticket, number }: NumberClaim): ClaimResult {
    return RESULTS[this.#tickets.use(ticket, number)];
  }

  settle(): void {}
}
