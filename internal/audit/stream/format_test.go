package stream

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func nasty() Item {
	return Item{Index: 7, JSON: `{"index":7}`, Entry: audit.Entry{
		Time: at, Actor: audit.Actor{ID: "u1", Name: `al"i]c\e=|` + "\n<13>1", Kind: audit.KindUser}, Source: "192.0.2.1", Action: "sign_in", Outcome: audit.Denied,
		Object: audit.Object{Kind: "target", ID: "d|e=s\\k", Name: "Desk\r\nCEF:0|x"}, SessionID: "s", Policies: []string{"a", "b=c"},
		Details: map[string]string{"problem": "forbidden", "reason": "x=y\u2028z"},
	}}
}

// TestMessageParses has a parser of others read what goes out.
func TestMessageParses(t *testing.T) {
	m, err := rfc5424.NewParser().Parse([]byte(Header{Host: "gw 1.example", Format: JSON}.Message(nasty())))
	require.NoError(t, err)
	got := m.(*rfc5424.SyslogMessage)
	require.EqualValues(t, 13, *got.Facility)
	require.EqualValues(t, 4, *got.Severity)
	require.Equal(t, "gw1.example", *got.Hostname)
	require.Equal(t, "vitrine", *got.Appname)
	require.Equal(t, "sign_in", *got.MsgID)
	require.True(t, at.Equal(*got.Timestamp))
	require.Equal(t, `{"index":7}`, *got.Message)
	require.Equal(t, map[string]string{
		"index": "7", "outcome": "denied", "actor": `al"i]c\e=| <13>1`, "actorId": "u1", "actorKind": "user", "source": "192.0.2.1", "objectKind": "target",
		"objectId": `d|e=s\k`, "objectName": "Desk  CEF:0|x", "session": "s", "policies": "a b=c",
	}, unescaped((*got.StructuredData)[structuredID]))
}

// unescaped undoes the escapes the parser leaves.
func unescaped(in map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range in {
		out[k] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\]`, `]`).Replace(v)
	}
	return out
}

func TestCEF(t *testing.T) {
	text := Header{Host: "gw", Version: "1|2", Format: CEF}.Message(nasty())
	m, err := rfc5424.NewParser().Parse([]byte(text))
	require.NoError(t, err)
	require.Equal(t, `CEF:0|Vitrine|Vitrine|1\|2|sign_in|sign in|6|externalId=7 rt=1767323045000 outcome=denied suser=al"i]c\\e\=| <13>1 suid=u1 src=192.0.2.1 `+
		`cs1Label=session cs1=s cs2Label=object cs2=target d|e\=s\\k Desk  CEF:0|x cs3Label=policies cs3=a b\=c cs4Label=actorKind cs4=user `+
		`reason=forbidden msg=problem: forbidden; reason: x\=y z`, *m.(*rfc5424.SyslogMessage).Message)
}

// cefField finds the fields of an extension as receivers do: an unescaped equals sign after a word.
var cefField = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)

// FuzzMessage: nothing that people or targets name adds a line, a message, a parameter or a field.
func FuzzMessage(f *testing.F) {
	f.Add("alice", "x=y |", "a\nb", "]")
	f.Add("\x00\x1b[31m", "\u2028<34>1 ", `\`, `\"`)
	f.Add("msg=forged suser=root", "\xff", "", "|")
	f.Fuzz(func(t *testing.T, name, object, detail, action string) {
		i := Item{Index: 1, JSON: `{"a":"` + "b" + `"}`, Entry: audit.Entry{
			Time: at, Actor: audit.Actor{Name: name, Kind: audit.KindUser}, Action: action, Outcome: audit.Success,
			Object: audit.Object{ID: object}, Details: map[string]string{"reason": detail},
		}}
		for _, format := range []Format{JSON, CEF} {
			text := Header{Host: name, Version: detail, Format: format}.Message(i)
			require.False(t, strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), "%q", text)
			m, err := rfc5424.NewParser().Parse([]byte(text))
			require.NoError(t, err, "%q", text)
			got := m.(*rfc5424.SyslogMessage)
			if format == JSON {
				require.Len(t, *got.StructuredData, 1)
				data := (*got.StructuredData)[structuredID]
				for key := range data {
					require.Contains(t, []string{"index", "outcome", "actor", "actorKind", "objectId"}, key)
				}
				require.Equal(t, i.JSON, *got.Message)
				continue
			}
			header := strings.NewReplacer(`\\`, "", `\|`, "").Replace(*got.Message)
			extension := strings.SplitN(header, "|", 8)
			require.Len(t, extension, 8)
			clean := strings.ReplaceAll(extension[7], `\=`, "")
			for _, m := range cefField.FindAllStringSubmatch(clean, -1) {
				require.Contains(t, []string{"externalId", "rt", "outcome", "suser", "cs2Label", "cs2", "cs4Label", "cs4", "msg"}, m[1])
			}
		}
	})
}
