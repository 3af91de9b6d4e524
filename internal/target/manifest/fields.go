package manifest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vitrine-psm/vitrine/internal/target"
)

// redacted stands for a secret.
const redacted = "[redacted]"

// value is something of a target, for people to read. An empty text is not set.
type value struct{ path, text string }

// fieldsOf returns all there is to say of a target and its accounts.
func fieldsOf(t *target.Target) []value {
	list := targetFields(t)
	for i := range t.Accounts {
		list = append(list, accountFields(&t.Accounts[i])...)
	}
	return list
}

func targetFields(t *target.Target) []value {
	list := []value{
		{"name", t.Name},
		{"description", t.Description},
		{"protocol", t.Protocol},
		{"address", t.Address},
		{"tags", strings.Join(t.Tags, ", ")},
		{"tls.mode", string(t.TLS.Mode())},
		{"tls.server_name", t.TLS.ServerName},
		{"tls.ca", fingerprint(t.TLS.CAPEM)},
		{"tls.fingerprint", t.TLS.Fingerprint},
		{"clipboard.to_target", strconv.FormatBool(t.ClipboardToTarget)},
		{"clipboard.from_target", strconv.FormatBool(t.ClipboardFromTarget)},
		{"view_only", strconv.FormatBool(t.ViewOnly)},
		{"recording.keys", string(t.Keys)},
		{"origin", t.Origin},
	}
	if t.RDP == nil {
		return list
	}
	b, err := json.Marshal(t.RDP)
	if err != nil { // a struct of plain values
		panic(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	return flatten(list, "rdp", m)
}

// flatten adds the values of m and of what is in it, sorted.
func flatten(list []value, path string, m map[string]any) []value {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := path + "." + key
		switch v := m[key].(type) {
		case map[string]any:
			list = flatten(list, at, v)
		case []any:
			parts := make([]string, len(v))
			for i, item := range v {
				parts[i] = fmt.Sprint(item)
			}
			list = append(list, value{at, strings.Join(parts, ", ")})
		default:
			list = append(list, value{at, fmt.Sprint(v)})
		}
	}
	return list
}

// fingerprint names authorities, which are too long to show.
func fingerprint(pem []byte) string {
	if len(pem) == 0 {
		return ""
	}
	sum := sha256.Sum256(pem)
	return fmt.Sprintf("PEM of SHA-256 %x…", sum[:8])
}

func accountPath(name string) string { return "accounts." + name }

func accountFields(a *target.Account) []value {
	at := accountPath(a.Name)
	return []value{
		{at + ".username", a.Username},
		{at + ".domain", a.Domain},
		{at + ".description", a.Description},
		{at + ".tags", strings.Join(a.Tags, ", ")},
		{at + ".credential", sourceText(&a.Source)},
	}
}

// sourceText says where a password is.
func sourceText(s *target.Source) string {
	switch s.Kind {
	case target.KindVault:
		text := []string{"vault " + s.Vault.Vault, s.Vault.Path}
		for _, field := range []string{s.Vault.UsernameField, s.Vault.PasswordField} {
			if field != "" {
				text = append(text, "field "+field)
			}
		}
		return strings.Join(text, ", ")
	case target.KindCommand:
		return strings.TrimSpace(fmt.Sprintf("command %s %s", s.Command.Command, s.Command.Reference))
	case "":
		return string(target.KindNone)
	}
	return string(s.Kind)
}

// difference returns what changes from before to after, in the order of after and then before.
func difference(before, after []value) []Field {
	was := make(map[string]string, len(before))
	for _, v := range before {
		was[v.path] = v.text
	}
	var list []Field
	for _, v := range after {
		if old := was[v.path]; old != v.text {
			list = append(list, Field{Path: v.path, Old: old, New: v.text})
		}
		delete(was, v.path)
	}
	for _, v := range before {
		if _, gone := was[v.path]; gone && v.text != "" {
			list = append(list, Field{Path: v.path, Old: v.text})
		}
	}
	return list
}
