package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInspect(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		want []string // line:column: severity: part of the message; in order
	}{
		{"correct", "permit (principal, action == Action::\"connect\", resource);", nil},
		{"empty", "  \n// nothing\n", []string{"1:1: error: there is no permit"}},
		{"not ended", "permit (principal, action, resource)", []string{"1:37: error: expected \";\", found the end of the text"}},
		{"misspelt", "\npermitt (principal, action, resource);", []string{"2:"}},
		{"wrong word", "permit (principal, action, resource)\nwhen { context.approved }\n\nforbid (principal, action, resource);", []string{`4:1: error: expected ";", found "forbid"`}},
		{"string not ended", "permit (principal, action == Action::\"conn\n, resource);", []string{"error: "}},
		{"unknown action", "permit (\n  principal,\n  action == Action::\"fly\",\n  resource\n);", []string{`3:13: error: unrecognized action`}},
		{"unknown type", "permit (principal in Crew::\"x\", action, resource);", []string{"1:22: error: unrecognized entity type `Crew`"}},
		{"unknown role", "permit (principal in Role::\"admin\", action == Action::\"replay\", resource);", []string{`1:22: error: there is no role "admin"; there are administrator, user`}},
		{"unknown role in a condition", "permit (principal, action == Action::\"replay\", resource)\nwhen { principal in Role::\"boss\" };", []string{`2:21: error: there is no role "boss"`}},
		{"unknown gateway", "permit (principal, action == Action::\"read_audit\", resource == Gateway::\"x\");", []string{`1:64: error: the only gateway`}},
		{"unknown attribute", "permit (principal, action == Action::\"connect\", resource)\nwhen { context.colour == \"red\" };", []string{"2:"}},
		{"optional without has", "permit (principal, action == Action::\"connect\", resource)\nwhen { context.ticket == \"x\" };", []string{"2:"}},
		{"wrong type", "permit (principal, action == Action::\"connect\", resource)\nwhen { context.minutes < \"eight\" };", []string{"error: "}},
		{"not a bool", "permit (principal, action == Action::\"connect\", resource) when { context.minutes };", []string{"error: "}},
		{"owner where there is none", "permit (principal, action == Action::\"connect\", resource) when { resource.owner == principal };", []string{"1:75: error: attribute `owner` on entity type `Account` not found", "1:75: error: "}},
		{"not applicable", "permit (principal, action == Action::\"replay\", resource in Group::\"x\");", []string{"error: no action has this kind"}},
		{"unknown annotation", "\n@max_duratoin(\"4h\")\npermit (principal, action == Action::\"connect\", resource);", []string{`2:1: error: there is no annotation @max_duratoin`}},
		{"bad duration", "@max_duration(\"four hours\")\npermit (principal, action == Action::\"connect\", resource);", []string{`1:1: error: @max_duration: want a time`}},
		{"bad keys", "@keys(\"some\")\npermit (principal, action == Action::\"connect\", resource);", []string{`1:1: error: @keys: want "full"`}},
		{"bad approvals", "@approvals(\"0\") permit (principal, action == Action::\"connect\", resource);", []string{`error: @approvals: want a number`}},
		{"bad watching", "@watching(\"sometimes\") permit (principal, action == Action::\"view_live\", resource);", []string{`error: @watching: want "announced" or "silent"`}},
		{"bad ocr", "@ocr(\"yes\") permit (principal, action == Action::\"connect\", resource);", []string{`error: @ocr: want "on"`}},
		{"bad watermark", "@watermark(\"yes\") permit (principal, action == Action::\"connect\", resource);", []string{`error: @watermark: want "on"`}},
		{"obliged by a forbid", "@max_duration(\"4h\") forbid (principal, action == Action::\"connect\", resource);", []string{`error: @max_duration belongs to a permit`}},
		{"obliged without connect", "@max_duration(\"4h\") permit (principal, action == Action::\"replay\", resource);", []string{`warning: @max_duration counts only where`}},
		{"everybody everything", "permit (principal, action, resource);", []string{"warning: this permits everybody everything"}},
		{"nobody anything", "forbid (principal, action, resource);", []string{"warning: this forbids everybody everything"}},
		{"target without accounts", "permit (principal, action == Action::\"connect\", resource == Target::\"x\");", []string{`1:61: warning: this leaves out the target's accounts`}},
		{"is target", "permit (principal, action == Action::\"connect\", resource is Target);", []string{`warning: this leaves out`}},
		{"is target where there are no accounts", "permit (principal, action == Action::\"view_live\", resource is Session);", nil},
		{"two errors", "permit (principal, action == Action::\"a\", resource);\npermit (principal, action == Action::\"b\", resource);", []string{"1:", "2:"}},
		{"not UTF-8", "permit \xff", []string{"1:8: error: the text is not UTF-8"}},
		{"NUL", "permit \x00", []string{"1:8: error: the text is not UTF-8"}},
		{"too long", strings.Repeat("// x\n", 20_000), []string{"1:1: error: the text has 100000 bytes"}},
		{"long statement", "permit (principal, action, resource) when { " + strings.Repeat("true && ", 2000) + "true };", []string{"1:1: error: a statement has more than"}},
		{"deep", "permit (principal, action, resource) when { " + strings.Repeat("(", 40) + "true" + strings.Repeat(")", 40) + " };", []string{"error: brackets nest"}},
		{"signs", "permit (principal, action, resource) when { " + strings.Repeat("!", 40) + "true };", []string{"error: more than 8 signs"}},
		{"many", strings.Repeat("forbid(principal,action==Action::\"replay\",resource);\n", maxStatements+1), []string{"101:1: error: more than 100 statements"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			findings := Inspect(tc.text)
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			require.Len(t, findings, len(tc.want), "%q", got)
			for i, want := range tc.want {
				require.Contains(t, got[i], want)
			}
			bad := false
			for _, f := range findings {
				bad = bad || f.Severity == SeverityError
			}
			require.Equal(t, bad, Errors(findings) != nil)
		})
	}
}

func TestPosition(t *testing.T) {
	text := "aä\nbc\n"
	for offset, want := range map[int][2]int{0: {1, 1}, 1: {1, 2}, 3: {1, 3}, 4: {2, 1}, 6: {2, 3}, 7: {3, 1}, 99: {3, 1}} {
		line, column := position(text, offset)
		require.Equal(t, want, [2]int{line, column}, offset)
	}
	in := inspection{text: text}
	for _, offset := range []int{0, 1, 4, 5} {
		line, column := position(text, offset)
		require.Equal(t, offset, in.offset(line, column))
	}
	require.Equal(t, len(text), in.offset(9, 1))
}

func TestStatementText(t *testing.T) {
	list, err := parse(Document{ID: "d", Text: "// before\n@doc(\"a;b\")\npermit (principal, action, resource); // after\n// of the next\nforbid (principal, action, resource)\nwhen { context.weekday == \";\" };"})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "@doc(\"a;b\")\npermit (principal, action, resource);", list[0].Text)
	require.Equal(t, "d", list[0].ID)
	require.Equal(t, "d#2", list[1].ID)
	require.True(t, strings.HasPrefix(list[1].Text, "forbid"))
	require.Equal(t, 5, list[1].Line)
}

func TestDescribe(t *testing.T) {
	r := Describe()
	require.Len(t, r.Entities, 10)
	for _, e := range r.Entities {
		require.NotEmpty(t, e.About, e.Name)
	}
	require.Equal(t, "connect", r.Actions[0].Name)
	require.Equal(t, []string{"Target", "Account"}, r.Actions[0].Resources)
	require.Len(t, r.Actions, len(All())+2)
	for _, a := range r.Actions {
		require.NotEmpty(t, a.About, a.Name)
	}
	require.NotEmpty(t, r.Context)
	for _, a := range r.Context {
		require.NotEmpty(t, a.About, a.Name)
		require.NotEqual(t, "Record", a.Type)
	}
}

// FuzzInspect: whatever is pasted is answered soon and without a panic, and what has no errors can be decided by.
func FuzzInspect(f *testing.F) {
	for _, d := range Defaults() {
		f.Add(d.Text)
	}
	f.Add(`@max_duration("4h") permit (principal is User in Group::"a", action in [Action::"connect"], resource) when { if context has source then context.source.isInRange(ip("10.0.0.0/8")) else false } unless { context.tags.containsAny(["a", "b"]) };`)
	f.Add(`permit (principal, action, resource) when { context.minutes * -3 > 1 && resource has owner && resource.owner like "*" };`)
	f.Add("permit (principal, action, resource) when { {a: [1, \"\\u{41}\"]}[\"a\"].isEmpty() };")
	f.Add("forbid (principal == ?principal, action, resource);")
	f.Add("\"\\")
	f.Add("@a @a")
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		findings := Inspect(text)
		require.Less(t, time.Since(begin), 5*time.Second)
		for _, g := range findings {
			require.Positive(t, g.Line)
			require.Positive(t, g.Column)
			require.NotEmpty(t, g.Message)
		}
		if Errors(findings) != nil {
			return
		}
		set, err := Compile(1, []Document{{ID: "f", Name: "f", Text: text, Enabled: true}})
		require.NoError(t, err)
		for _, action := range All() {
			q := Query{Subject: person("x", Member), Action: action, Resource: resources()[action]}
			set.decide(newWorld(&q, time.UTC))
			set.possible(newWorld(&q, time.UTC))
		}
	})
}
