package turnserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Credential is what a browser signs in to the relay with. The password must not be logged.
type Credential struct {
	URLs               []string // in the order to prefer them
	Username, Password string
}

// grant is what a username says: who may, until when, open allocations to which session.
type grant struct {
	expires         time.Time // whole seconds
	session, person string
}

var errUsername = errors.New("turn: not a username of this gateway")

// String is the username: "expiry:session:person", the expiry in seconds since 1970.
func (g grant) String() string {
	return strconv.FormatInt(g.expires.Unix(), 10) + ":" + g.session + ":" + g.person
}

// parseGrant reads a username, which anybody may have made up.
func parseGrant(username string) (grant, error) {
	expires, rest, ok := strings.Cut(username, ":")
	session, person, also := strings.Cut(rest, ":")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !ok || !also || session == "" || person == "" || len(username) > maxUsername {
		return grant{}, errUsername
	}
	g := grant{time.Unix(seconds, 0), session, person}
	if g.String() != username { // one spelling for each
		return grant{}, errUsername
	}
	return g, nil
}

// secret makes passwords.
type secret [sha256.Size]byte

func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// password is what belongs to a username.
func (s *secret) password(username string) string {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
