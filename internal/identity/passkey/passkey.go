// Package passkey does the gateway's side of WebAuthn: it makes the options a browser is given, and checks what an
// authenticator answers. It has no state: the Session that Begin returns is kept by the caller, for one Finish.
//
// A passkey is scoped to a domain, the relying party's id, by the browser; the origin in what it signs is compared here
// again. As a second factor a touch is enough; signing in without a password needs the person to be verified by
// the authenticator too, by a PIN or a finger, so that it is two factors in one.
package passkey

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Timeout is how long a browser waits for the person.
const Timeout = 2 * time.Minute

// maxResponseBytes bounds what a browser sends back; real answers have one or two KiB, attestations up to ten.
const maxResponseBytes = 64 << 10

// ErrRefused is wrapped by every error about what a browser sent.
var ErrRefused = errors.New("passkey: refused")

// ErrCloned is that the authenticator's counter went back, so there may be two of it.
var ErrCloned = errors.New("passkey: the counter went back")

// Person is who a passkey belongs to.
type Person struct {
	ID          string // opaque; the authenticator keeps it
	Name        string
	DisplayName string // may be empty
}

// Credential is a passkey as it rests.
type Credential struct {
	ID        string // base64url
	JSON      string // public key, counter, flags
	SignCount uint32
}

// RelyingParty is the gateway to authenticators.
type RelyingParty struct{ lib *webauthn.WebAuthn }

// New returns the relying party of an origin such as https://vitrine.example.org. A domain name is needed, or localhost:
// authenticators know no IP addresses.
func New(origin string) (*RelyingParty, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("passkey: origin: %w", err)
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return nil, fmt.Errorf("passkey: %q has no domain name", origin)
	}
	if u.Scheme != "https" && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
		return nil, fmt.Errorf("passkey: browsers allow passkeys at %q only by https", origin)
	}
	timeout := webauthn.TimeoutConfig{Timeout: Timeout, TimeoutUVD: Timeout}
	lib, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "Vitrine", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return &RelyingParty{lib}, nil
}

// Origin is where people reach the console: publicURL, or the listener when it can only be reached as localhost.
func Origin(publicURL, listen string, tls bool) string {
	if publicURL != "" {
		return strings.TrimRight(publicURL, "/")
	}
	host, port, err := net.SplitHostPort(listen)
	if addr, perr := netip.ParseAddr(host); err == nil && ((perr == nil && addr.IsLoopback()) || host == "localhost") {
		host = "localhost"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Options is what the browser's navigator.credentials is called with, as JSON.
type Options = json.RawMessage

// BeginRegistration makes the options for a new passkey of p; those it has already are not made a second time.
func (r *RelyingParty) BeginRegistration(p Person, has []Credential) (Options, string, error) {
	u, err := userOf(p, has)
	if err != nil {
		return nil, "", err
	}
	creation, session, err := r.lib.BeginRegistration(u, webauthn.WithExclusions(webauthn.Credentials(u.credentials).CredentialDescriptors()))
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin registration: %w", err)
	}
	return marshal(creation.Response, session)
}

// FinishRegistration checks the browser's answer. The error wraps ErrRefused when the answer is wrong.
func (r *RelyingParty) FinishRegistration(p Person, session string, response []byte) (Credential, error) {
	s, err := sessionOf(session, response)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Credential{}, refused(err)
	}
	u, err := userOf(p, nil)
	if err != nil {
		return Credential{}, err
	}
	made, err := r.lib.CreateCredential(u, s, parsed)
	if err != nil {
		return Credential{}, refused(err)
	}
	return credentialOf(made)
}

// BeginAssertion makes the options for proving one of p's passkeys as a second factor.
func (r *RelyingParty) BeginAssertion(p Person, has []Credential) (Options, string, error) {
	u, err := userOf(p, has)
	if err != nil {
		return nil, "", err
	}
	if len(u.credentials) == 0 {
		return nil, "", fmt.Errorf("%w: there is no passkey", ErrRefused)
	}
	assertion, session, err := r.lib.BeginLogin(u)
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin assertion: %w", err)
	}
	return marshal(assertion.Response, session)
}

// FinishAssertion checks the browser's answer and returns the passkey it was, changed by its use. The error wraps
// ErrRefused; it wraps ErrCloned too, and the passkey is returned, when the counter went back.
func (r *RelyingParty) FinishAssertion(p Person, has []Credential, session string, response []byte) (Credential, error) {
	s, err := sessionOf(session, response)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Credential{}, refused(err)
	}
	u, err := userOf(p, has)
	if err != nil {
		return Credential{}, err
	}
	used, err := r.lib.ValidateLogin(u, s, parsed)
	if err != nil {
		return Credential{}, refused(err)
	}
	return usedUp(used)
}

// BeginSignIn makes the options for signing in without name and password.
func (r *RelyingParty) BeginSignIn() (Options, string, error) {
	assertion, session, err := r.lib.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin sign-in: %w", err)
	}
	return marshal(assertion.Response, session)
}

// FinishSignIn is FinishAssertion for somebody not yet known: find returns who has an id and their passkeys.
func (r *RelyingParty) FinishSignIn(session string, response []byte, find func(id string) (Person, []Credential, error)) (Credential, error) {
	s, err := sessionOf(session, response)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Credential{}, refused(err)
	}
	var internal error // of find: not the browser's fault
	_, used, err := r.lib.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		p, has, err := find(string(handle))
		if err != nil {
			internal = err
			return nil, err
		}
		u, err := userOf(p, has)
		internal = err
		return u, err
	}, s, parsed)
	if internal != nil {
		return Credential{}, internal
	}
	if err != nil {
		return Credential{}, refused(err)
	}
	return usedUp(used)
}

// usedUp is what an assertion made of a credential.
func usedUp(c *webauthn.Credential) (Credential, error) {
	out, err := credentialOf(c)
	if err == nil && c.Authenticator.CloneWarning {
		err = fmt.Errorf("%w: %w", ErrRefused, ErrCloned)
	}
	return out, err
}

func credentialOf(c *webauthn.Credential) (Credential, error) {
	// What an authenticator attests about itself is not asked for and not kept.
	c.Attestation = webauthn.CredentialAttestation{}
	text, err := json.Marshal(c)
	if err != nil {
		return Credential{}, fmt.Errorf("passkey: %w", err)
	}
	return Credential{ID: base64.RawURLEncoding.EncodeToString(c.ID), JSON: string(text), SignCount: c.Authenticator.SignCount}, nil
}

func marshal(options any, session *webauthn.SessionData) (Options, string, error) {
	o, err := json.Marshal(options)
	if err != nil {
		return nil, "", fmt.Errorf("passkey: %w", err)
	}
	s, err := json.Marshal(session)
	if err != nil {
		return nil, "", fmt.Errorf("passkey: %w", err)
	}
	return o, string(s), nil
}

func sessionOf(session string, response []byte) (webauthn.SessionData, error) {
	var s webauthn.SessionData
	if len(response) > maxResponseBytes {
		return s, fmt.Errorf("%w: an answer of %d bytes, more than %d", ErrRefused, len(response), maxResponseBytes)
	}
	if err := json.Unmarshal([]byte(session), &s); err != nil {
		return s, fmt.Errorf("passkey: session: %w", err)
	}
	return s, nil
}

// refused keeps what the library says for developers, which its Error leaves out.
func refused(err error) error {
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.DevInfo != "" {
		return fmt.Errorf("%w: %w: %s", ErrRefused, err, e.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// user is a Person to the library.
type user struct {
	Person
	credentials []webauthn.Credential
}

func userOf(p Person, has []Credential) (*user, error) {
	u := &user{Person: p}
	for _, c := range has {
		var lib webauthn.Credential
		if err := json.Unmarshal([]byte(c.JSON), &lib); err != nil {
			return nil, fmt.Errorf("passkey: %s: %w", c.ID, err)
		}
		u.credentials = append(u.credentials, lib)
	}
	return u, nil
}

func (u *user) WebAuthnID() []byte                         { return []byte(u.ID) }
func (u *user) WebAuthnName() string                       { return u.Name }
func (u *user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }
func (u *user) WebAuthnDisplayName() string {
	if u.DisplayName == "" {
		return u.Name
	}
	return u.DisplayName
}
