package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// newToken returns a fresh cookie value and the hash it is kept under.
func newToken() (token, hash string) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw) // never fails: crypto/rand ends the program instead
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token)
}

// hashToken needs no salt and no stretching: the token is as random as a key.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// randomLetters returns n letters of an alphabet of 32 in which no two look alike (no o beside 0; no i, l, 1).
func randomLetters(n int) string {
	const alphabet = "abcdefghjkmnpqrstuvwxyz023456789"
	raw := make([]byte, n)
	rand.Read(raw)
	for i, b := range raw {
		raw[i] = alphabet[b%32]
	}
	return string(raw)
}
