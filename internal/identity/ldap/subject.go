package ldap

import (
	"encoding/hex"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// hexPrefix begins the subject of whom the directory knows by bytes, as Active Directory does by objectGUID.
const hexPrefix = "hex:"

// subjectOf is the value of the identifying attribute as text, or "" when it is none.
func subjectOf(raw []byte) string {
	s := string(raw)
	if len(raw) == 0 || len(raw) > maxSubjectBytes/2 {
		return ""
	}
	if plain(s) && !strings.HasPrefix(s, hexPrefix) {
		return s
	}
	return hexPrefix + hex.EncodeToString(raw)
}

// escapeSubject is subjectOf turned back, for a filter.
func escapeSubject(subject string) string {
	if digits, ok := strings.CutPrefix(subject, hexPrefix); ok {
		if raw, err := hex.DecodeString(digits); err == nil {
			var b strings.Builder
			for _, c := range raw {
				b.WriteString(`\` + hex.EncodeToString([]byte{c}))
			}
			return b.String()
		}
	}
	return ldap.EscapeFilter(subject)
}
