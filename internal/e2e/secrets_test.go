package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it
)

// requireNoSecrets fails the test when a password is in the log of serve or of its workers, which is the same, in any
// form that could be made of it without its owner.
func (g *gateway) requireNoSecrets(passwords ...string) {
	g.t.Helper()
	log, err := os.ReadFile(filepath.Join(g.dir, "serve.log"))
	require.NoError(g.t, err)
	require.Contains(g.t, string(log), "DEBUG", "the log does not tell all")
	log = bytes.ToLower(log)
	for _, p := range passwords {
		if p == "" {
			continue
		}
		for form, secret := range forms(p) {
			require.NotContains(g.t, string(log), strings.ToLower(secret), "the password as %s", form)
		}
	}
}

// forms are the ways a password could get into a log.
func forms(password string) map[string]string {
	var wide []byte
	for _, unit := range utf16.Encode([]rune(password)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	hash := md4.New()
	hash.Write(wide)
	nt := hash.Sum(nil)
	return map[string]string{
		"text": password, "hex": hex.EncodeToString([]byte(password)), "base64": base64.StdEncoding.EncodeToString([]byte(password)),
		"UTF-16": string(wide), "hex of UTF-16": hex.EncodeToString(wide), "base64 of UTF-16": base64.StdEncoding.EncodeToString(wide),
		"NT hash": hex.EncodeToString(nt), "NT hash in base64": base64.StdEncoding.EncodeToString(nt),
		"numbers": numbers([]byte(password)), "UTF-16 numbers": numbers(wide),
	}
}

// numbers is how Go prints bytes.
func numbers(b []byte) string { return strings.Trim(fmt.Sprintf("%d", b), "[]") }
