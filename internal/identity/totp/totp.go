// Package totp makes and checks time-based one-time passwords (RFC 6238) as authenticator apps know them: SHA-1, six
// digits, steps of 30 s. It has no state: who keeps the seed also keeps the step of the last code used.
package totp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	period    = 30 * time.Second
	skew      = 1  // steps a clock may be wrong by, either way
	seedBytes = 20 // RFC 4226, 4: at least 16, 20 recommended
	qrSide    = 232
)

// What callers tell apart.
var (
	// ErrWrongCode: it is not the code of a step nearby.
	ErrWrongCode = errors.New("totp: wrong code")
	// ErrUsed: it is a right code, but it or a newer one was used before.
	ErrUsed = errors.New("totp: the code was used before")
)

// Key is a fresh generator, to be shown once.
type Key struct {
	Seed string // base32, as people type it when they cannot scan
	URL  string // otpauth://
	QR   string // the URL as a QR code: PNG in a data URL
}

// NewKey makes a generator for account at issuer, both as apps show them.
func NewKey(issuer, account string) (Key, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, SecretSize: seedBytes, Period: uint(period / time.Second)})
	if err != nil {
		return Key{}, fmt.Errorf("totp: generate: %w", err)
	}
	picture, err := key.Image(qrSide, qrSide)
	if err != nil {
		return Key{}, fmt.Errorf("totp: QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return Key{}, fmt.Errorf("totp: QR code: %w", err)
	}
	return Key{Seed: key.Secret(), URL: key.URL(), QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())}, nil
}

// Check returns the step whose code this is, one of those around now. last is the step of the newest code used before,
// 0 if none. The error is ErrWrongCode or ErrUsed. Every step is compared, whichever fits, in constant time each.
func Check(seed, code string, now time.Time, last int64) (step int64, err error) {
	code = strings.Join(strings.Fields(code), "") // apps show two groups of three
	if len(code) != otp.DigitsSix.Length() {
		return 0, ErrWrongCode
	}
	current, found := now.Unix()/int64(period/time.Second), int64(0)
	for s := current - skew; s <= current+skew; s++ {
		if s < 0 {
			continue
		}
		ok, err := hotp.ValidateCustom(code, uint64(s), seed, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("totp: %w", err)
		}
		if ok && s > found {
			found = s
		}
	}
	switch {
	case found == 0:
		return 0, ErrWrongCode
	case found <= last:
		return 0, ErrUsed
	}
	return found, nil
}
