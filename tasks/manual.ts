/**
 * @module
 * Writes what comes with the executable, from the table of subcommands: the man page `msp.1`, and
 * completions for bash, zsh and fish. `deno task manual`.
 */
import { runTool, type Tool } from "../bench/tool.ts";
import type { Command } from "../cli/command.ts";
import { loadCommands } from "../cli/commands.ts";
import { usageLine } from "../cli/help.ts";
import { VERSION } from "../lib/version.ts";

/** Purpose of the program in one line. */
const PURPOSE =
  "registered clients call functions on this server, and everything that they send and get is sealed";

const COMMANDS = await loadCommands();

/** Text for roff: what has a meaning there is escaped, and what ASCII terminals lack is replaced. */
function roff(text: string): string {
  return text.replaceAll("…", "...").replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(
    /^([.'])/gm,
    "\\&$1",
  );
}

function manPage(): string {
  const parts = [
    `.TH MSP 1 "" "msp ${VERSION}" "Mini Share Point"`,
    `.SH NAME\nmsp \\- ${roff(PURPOSE)}`,
    ".SH SYNOPSIS\n.B msp\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]",
    ".SH COMMANDS",
    ...COMMANDS.map(manSection),
  ];
  parts.push(
    ".SH EXIT STATUS\n0 when the command did its work, 1 when it failed, 2 for wrong usage.",
    ".SH FILES\nconfig/config.ini, config/modules.ini, modules/, sec/, log/ in the working folder.",
  );
  return `${parts.join("\n")}\n`;
}

function manSection(command: Command): string {
  const { summary, description, flags, example } = command;
  const options = Object.entries(flags).map(([name, { value, meaning }]) => {
    const placeholder = value === undefined ? "" : ` \\fI${roff(value)}\\fR`;
    return `.TP\n\\fB${roff(`--${name}`)}\\fR${placeholder}\n${roff(meaning)}`;
  });
  const paragraphs = description.split("\n\n").map((each) =>
    roff(each).replaceAll("\n", "\n.br\n")
  );
  return [
    `.SS ${roff(usageLine(command))}\n${roff(summary)}.`,
    ...paragraphs.map((paragraph) => `.PP\n${paragraph}`),
    ...options,
    `.PP\nExample:\n.RS\n.nf\n${roff(example)}\n.fi\n.RE`,
  ].join("\n");
}

function bashCompletion(): string {
  const cases = COMMANDS.map((command) => {
    const words = [...Object.keys(command.flags), "help"].map((name) => `--${name}`).join(" ");
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
    const options = Object.entries(command.flags).map(([name, { value, meaning }]) =>
      quoted(`--${name}[${escape(meaning)}]${value === undefined ? "" : `:${value}:_files`}`)
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
    const { name, summary, flags } = command;
    const options = Object.entries(flags).map(([flag, { value, meaning }]) => {
      const needsValue = value === undefined ? "" : " -r";
      const seen = `'__fish_seen_subcommand_from ${name}'`;
      return `complete -c msp -n ${seen} -l ${flag}${needsValue} -d ${quoted(meaning)}`;
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
