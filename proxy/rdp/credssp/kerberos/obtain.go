package kerberos

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strconv"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Config is what Obtain needs.
type Config struct {
	Realm    string   // in capitals, as a rule
	KDCs     []string // host or host:port; found by DNS when empty
	Username string
	Password desktop.Secret
	SPN      string // e.g. TERMSRV/host.example.com
}

// kdcPort is where KDCs listen unless configured otherwise.
const kdcPort = "88"

// Obtain asks a KDC for a service ticket with a user's password. It returns when ctx ends; the exchange under way then
// ends by itself, at the latest by gokrb5's limit of 5 s for each KDC and message.
func Obtain(ctx context.Context, cfg Config) (Ticket, error) {
	type result struct {
		ticket Ticket
		err    error
	}
	got := make(chan result, 1) // one answer, whether or not somebody still waits
	go func() {
		var r result
		defer func() {
			if recover() != nil { // gokrb5 indexes what a KDC has sent
				r = result{err: fmt.Errorf("kerberos: a malformed answer of the KDC: %w", ErrRefused)}
			}
			got <- r
		}()
		r.ticket, r.err = obtain(cfg)
	}()
	select {
	case r := <-got:
		return r.ticket, r.err
	case <-ctx.Done():
		return Ticket{}, fmt.Errorf("kerberos: %w: %w", ErrUnreachable, context.Cause(ctx))
	}
}

func obtain(cfg Config) (Ticket, error) {
	c := client.NewWithPassword(cfg.Username, cfg.Realm, string(cfg.Password), krbConfig(cfg), client.DisablePAFXFAST(true))
	defer c.Destroy()
	if err := c.Login(); err != nil {
		return Ticket{}, kdcError(err)
	}
	ticket, session, err := c.GetServiceTicket(cfg.SPN)
	if err != nil {
		return Ticket{}, kdcError(err)
	}
	b, err := ticket.Marshal()
	if err != nil {
		return Ticket{}, fmt.Errorf("kerberos: the ticket: %w", ErrRefused)
	}
	name := c.Credentials.CName()
	t := Ticket{
		Realm: c.Credentials.Domain(), NameType: name.NameType, Client: name.NameString, Ticket: b,
		KeyType: session.KeyType, Key: desktop.Secret(session.KeyValue),
	}
	return t, t.check()
}

// krbConfig is krb5.conf for one realm: TCP, and AES only.
func krbConfig(cfg Config) *config.Config {
	c := config.New()
	c.LibDefaults.DefaultRealm = cfg.Realm
	c.LibDefaults.UDPPreferenceLimit = 1
	c.LibDefaults.DNSLookupKDC = len(cfg.KDCs) == 0
	c.LibDefaults.NoAddresses = true
	types := []int32{aes256SHA1, aes128SHA1}
	c.LibDefaults.DefaultTktEnctypeIDs, c.LibDefaults.DefaultTGSEnctypeIDs, c.LibDefaults.PermittedEnctypeIDs = types, types, types
	realm := config.Realm{Realm: cfg.Realm}
	for _, kdc := range cfg.KDCs {
		if _, _, err := net.SplitHostPort(kdc); err != nil {
			kdc = net.JoinHostPort(kdc, kdcPort)
		}
		realm.KDC = append(realm.KDC, kdc)
	}
	c.Realms = []config.Realm{realm}
	return c
}

// krbErrorText finds the number in the text of gokrb5's errors, which wrap nothing.
var krbErrorText = regexp.MustCompile(`KRB Error: \((\d+)\)`)

// kdcError words what a KDC has answered. gokrb5's own text is left out: it may quote messages.
func kdcError(err error) error {
	m := krbErrorText.FindStringSubmatch(err.Error())
	if m == nil {
		return notAnswered(err)
	}
	code, _ := strconv.Atoi(m[1])
	kind := desktop.ErrAuth
	if code == codeServiceUnknown {
		kind = ErrService
	}
	return fmt.Errorf("kerberos: the KDC says %s: %w", codeText(code), kind)
}

var (
	networkTrouble  = regexp.MustCompile(`Networking_Error|no such host|connection refused|i/o timeout`)
	passwordTrouble = regexp.MustCompile(`password/keytab incorrect|Decrypting_Error`)
)

// notAnswered words an error that no KDC has told: it could not be asked, or its answer could not be read.
func notAnswered(err error) error {
	switch text := err.Error(); {
	case networkTrouble.MatchString(text):
		return fmt.Errorf("kerberos: %w", ErrUnreachable)
	case passwordTrouble.MatchString(text):
		return fmt.Errorf("kerberos: wrong password: %w", desktop.ErrAuth)
	}
	return fmt.Errorf("kerberos: the KDC's answer cannot be used: %w", ErrRefused)
}
