package detect

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// A Text is a text in the forms that patterns are tried on.
type Text struct {
	Raw      string   // as it was
	Whole    string   // without quotes and escapes, with single spaces
	Commands []string // of Whole, each without sudo and the like, its program without folder and ".exe"
}

// Tidy takes apart what is written as commands. It undoes, within reason, what makes a command look different to a pattern and
// the same to a shell: quotes, backslashes within words, the carets of cmd and the backticks of PowerShell, $IFS, spaces.
// Nothing is expanded that needs to know the target.
func Tidy(raw string) Text {
	t := Text{Raw: raw, Whole: squeeze(unquote(raw))}
	var out []string
	for _, part := range split(ifs.ReplaceAllString(raw, " ")) {
		out = commands(out, squeeze(unquote(part)), 0)
	}
	slices.Sort(out)
	t.Commands = slices.Compact(out)
	return t
}

// unquote drops quotes and escapes.
func unquote(s string) string {
	if !strings.ContainsAny(s, "\"'\\^`$") {
		return s
	}
	s = ifs.ReplaceAllString(s, " ")
	var b strings.Builder
	runes := []rune(s)
	for i, c := range runes {
		next := rune(0)
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		switch c {
		case '"', '\'':
			continue
		case '`': // PowerShell's escape within a word; else the shell's substitution, which split has seen
			continue
		case '^':
			if unicode.IsLetter(next) { // cmd
				continue
			}
		case '\\':
			// A folder of Windows keeps its backslashes: they come after a drive, a share, a variable or a name of some length.
			if i == 0 || unicode.IsSpace(runes[i-1]) || !pathBefore(runes[:i]) {
				if unicode.IsLetter(next) && (i <= 0 || runes[i-1] != '\\') && next != '\\' && !share(runes[i:]) {
					continue
				}
			}
		case '$':
			if next == '\'' || next == '"' { // $'…'
				continue
			}
		}
		b.WriteRune(c)
	}
	return b.String()
}

var ifs = regexp.MustCompile(`\$\{?IFS\}?(\$[0-9@*])?`)

// pathBefore tells whether a backslash after s stands in a path of Windows, or in the registry's.
func pathBefore(s []rune) bool {
	i := len(s)
	for i > 0 && !unicode.IsSpace(s[i-1]) && s[i-1] != '"' && s[i-1] != '\'' && s[i-1] != '=' {
		i--
	}
	word := string(s[i:])
	return strings.ContainsAny(word, ":%\\") || windowsRoot.MatchString(word)
}

var windowsRoot = regexp.MustCompile(`(?i)^(hk(lm|cu|cr|u|cc)|hkey_\w+|windows|users|programdata|\.{1,2}|builtin|nt authority|system32|[\w-]{2,}\$?)$`)

// share tells whether s begins as \\server or a device does.
func share(s []rune) bool { return len(s) > 1 && s[1] == '\\' }

// squeeze makes every run of spaces one, and drops those at the ends and what cannot be seen.
func squeeze(s string) string {
	var b strings.Builder
	space := true
	for _, c := range s {
		switch {
		case unicode.IsSpace(c):
			if !space {
				b.WriteByte(' ')
			}
			space = true
		case unicode.Is(unicode.Cf, c), unicode.IsControl(c):
		default:
			b.WriteRune(c)
			space = false
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// split takes a line apart at what separates commands, outside quotes. Substitutions are commands of their own, also within
// double quotes.
func split(s string) []string {
	var parts []string
	var quote byte
	from := 0
	flush := func(to, next int) {
		if strings.TrimSpace(s[from:to]) != "" && len(parts) < maxSegments {
			parts = append(parts, s[from:to])
		}
		from = next
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'' && i+1 < len(s) && strings.IndexByte("\"'`;|&\\", s[i+1]) >= 0:
			if quote == 0 && s[i+1] != '\\' || quote == '"' {
				i++
			}
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		case quote != '\'' && c == '$' && i+1 < len(s) && s[i+1] == '(':
			flush(i, i+2)
			i++
		case quote == 0 && strings.IndexByte(";|&\n\r(){}", c) >= 0:
			flush(i, i+1)
		case quote == 0 && c == '`' && (i == 0 || s[i-1] == ' '):
			flush(i, i+1)
		}
	}
	flush(len(s), len(s))
	return parts
}

// wrappers run the command in their arguments. flags are those that take one themselves.
var wrappers = map[string]string{
	"sudo": "ughpCrtTUDR", "doas": "uC", "env": "uSC", "command": "", "builtin": "", "exec": "a", "nohup": "", "time": "fo", "nice": "n",
	"ionice": "cnp", "setsid": "", "stdbuf": "ioe", "timeout": "ks", "busybox": "", "toybox": "", "xargs": "IdELnPsa", "watch": "nd",
	"pkexec": "", "chroot": "", "unshare": "", "nsenter": "t", "then": "", "do": "", "else": "", "if": "", "while": "", "!": "",
	"start": "", "call": "", "&": "", "eval": "", "iex": "", "invoke-expression": "",
}

// shells run what follows one of these.
var shells = map[string]*regexp.Regexp{
	"sh": dashC, "bash": dashC, "zsh": dashC, "dash": dashC, "ksh": dashC, "ash": dashC, "fish": dashC, "su": dashC, "runuser": dashC, "script": dashC,
	"cmd": regexp.MustCompile(`(?i)(?:^| )/[ckr] ?`), "powershell": psCommand, "pwsh": psCommand,
}

var (
	dashC     = regexp.MustCompile(`(?:^| )(?:-[a-z]*c|--command)[ =]`)
	psCommand = regexp.MustCompile(`(?i)(?:^| )[-/](?:c|co|com|comm|comma|comman|command) `)
	runBy     = regexp.MustCompile(` -(?:exec|execdir|ok|okdir) `)
	sshFlags  = "bcDEeFIiJLlmOopQRSWw"
	assigned  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=\S*$`)
	number    = regexp.MustCompile(`^[0-9.]+[smhd]?$`)
)

// commands adds to out the command, and those it runs.
func commands(out []string, command string, depth int) []string {
	command = strings.Trim(command, " @")
	if command == "" || depth > 6 || len(out) >= maxSegments {
		return out
	}
	program, rest, _ := strings.Cut(command, " ")
	if assigned.MatchString(program) && rest != "" {
		return commands(out, rest, depth+1)
	}
	program = programName(program)
	whole := program
	if rest != "" {
		whole += " " + rest
	}
	out = append(out, whole)
	lower := strings.ToLower(program)
	inner := ""
	if flags, ok := wrappers[lower]; ok {
		inner = afterFlags(rest, flags, lower == "timeout" || lower == "chroot")
	} else if re, ok := shells[lower]; ok {
		if at := re.FindStringIndex(rest); at != nil {
			inner = rest[at[1]:]
		}
	} else if lower == "ssh" || lower == "plink" || lower == "psexec" || lower == "psexec64" {
		_, inner, _ = strings.Cut(afterFlags(rest, sshFlags, false), " ")
	} else if at := runBy.FindStringIndex(rest); at != nil {
		inner = rest[at[1]:]
	}
	for _, part := range split(inner) {
		out = commands(out, part, depth+1)
	}
	return out
}

// programName is the name of a program without its folder and ".exe".
func programName(word string) string {
	if i := strings.LastIndexAny(word, `/\`); i >= 0 && i+1 < len(word) {
		word = word[i+1:]
	}
	if n := len(word) - 4; n > 0 && strings.EqualFold(word[n:], ".exe") {
		word = word[:n]
	}
	return word
}

// afterFlags leaves out options, with the values of those in takes, and variables; first: and one word more, a time or a folder.
func afterFlags(s, takes string, first bool) string {
	for s != "" {
		word, rest, _ := strings.Cut(s, " ")
		switch {
		case word == "--":
			return rest
		case strings.HasPrefix(word, "-") && len(word) > 1, strings.HasPrefix(word, "+"):
			if len(word) == 2 && strings.IndexByte(takes, word[1]) >= 0 {
				_, rest, _ = strings.Cut(rest, " ")
			}
		case assigned.MatchString(word):
		case first:
			first = false
		case number.MatchString(word):
		default:
			return s
		}
		s = rest
	}
	return ""
}
