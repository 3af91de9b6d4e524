package config

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Notify is whom Vitrine tells what happens, besides people in the console.
type Notify struct {
	Webhooks   []NotifyWebhook `yaml:"webhooks,omitempty"`
	Email      NotifyEmail     `yaml:"email"`
	MaxWaiting int             `yaml:"max_waiting"` // deliveries that wait to be sent; what exceeds them is dropped, the urgent last
}

// NotifyWebhook is a program that is told by signed HTTP requests.
type NotifyWebhook struct {
	Name       string   `yaml:"name"` // in logs
	URL        string   `yaml:"url"`
	Secret     Secret   `yaml:"secret,omitempty"` // what requests are signed with; base64 after "whsec_"
	SecretFile string   `yaml:"secret_file,omitempty"`
	SecretEnv  string   `yaml:"secret_env,omitempty"`
	Events     []string `yaml:"events,omitempty"`  // kinds of events; none: all
	CAFile     string   `yaml:"ca_file,omitempty"` // PEM; empty: the system's roots
	Plaintext  bool     `yaml:"plaintext,omitempty"`
}

// NotifyEmail is the server e-mail goes out by. There is none without Server.
type NotifyEmail struct {
	Server       string `yaml:"server"` // host:port
	TLS          string `yaml:"tls"`    // starttls, implicit, off
	CAFile       string `yaml:"ca_file"`
	Username     string `yaml:"username"` // empty: without signing in
	Password     Secret `yaml:"password,omitempty"`
	PasswordFile string `yaml:"password_file"`
	From         string `yaml:"from"`
	MaxPerHour   int    `yaml:"max_per_hour"` // to one address
}

// How the connection to the mail server is kept from others.
const (
	MailSTARTTLS = "starttls" // demanded, not only tried
	MailImplicit = "implicit"
	MailOff      = "off"
)

// Bounds of values.
const (
	maxWebhooks      = 50
	minWebhookSecret = 16 // bytes
	maxWaiting       = 1_000_000
	maxMailsPerHour  = 10_000
)

// notifyEvents are the kinds of events a webhook can be bound to; a test of internal/serve holds them to those there are.
var notifyEvents = []string{
	"access_request.made", "access_request.decided", "access_grant.ending", "access_grant.ended", "break_glass.used", "break_glass.reviewed",
	"session.ended_by_policy", "session.alert",
}

// NotifyEvents returns the kinds of events a webhook can be bound to.
func NotifyEvents() []string { return slices.Clone(notifyEvents) }

var webhookName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func defaultNotify() Notify {
	return Notify{MaxWaiting: 10_000, Email: NotifyEmail{TLS: MailSTARTTLS, MaxPerHour: 30}}
}

func (v *validator) notify(n *Notify) {
	v.between("notify.max_waiting", int64(n.MaxWaiting), 10, maxWaiting)
	if len(n.Webhooks) > maxWebhooks {
		v.fail("notify.webhooks", "holds %d, more than %d", len(n.Webhooks), maxWebhooks)
		return
	}
	seen := map[string]bool{}
	for i := range n.Webhooks {
		w := &n.Webhooks[i]
		path := fmt.Sprintf("notify.webhooks[%d]", i)
		v.webhook(path, w)
		if seen[w.Name] {
			v.fail(path+".name", "%q is there twice", w.Name)
		}
		seen[w.Name] = true
	}
	v.email(&n.Email)
}

func (v *validator) webhook(path string, w *NotifyWebhook) {
	if !webhookName.MatchString(w.Name) {
		v.fail(path+".name", "%q is not a name of small letters, digits, dots and dashes", w.Name)
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "": // the address may hold a token: it is not quoted
		v.fail(path+".url", "is not an address such as https://example.com/hook")
	case u.Scheme == "https":
	case u.Scheme != "http":
		v.fail(path+".url", "has the scheme %q, which is neither https nor http", u.Scheme)
	case !w.Plaintext && !loopback(u.Hostname()):
		v.fail(path+".url", "is not https: anybody on the way could read along; plaintext: true allows it")
	}
	if len(w.Secret.Reveal()) < minWebhookSecret {
		v.fail(path+".secret", "is needed, of at least %d bytes: without it nobody can tell whom a request is from", minWebhookSecret)
	}
	for _, kind := range w.Events {
		v.oneOf(path+".events", kind, notifyEvents...)
	}
	if w.CAFile != "" {
		v.readable(path+".ca_file", w.CAFile)
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

func (v *validator) email(e *NotifyEmail) {
	v.oneOf("notify.email.tls", e.TLS, MailSTARTTLS, MailImplicit, MailOff)
	v.between("notify.email.max_per_hour", int64(e.MaxPerHour), 1, maxMailsPerHour)
	if e.Server == "" {
		if e.From != "" || e.Username != "" {
			v.fail("notify.email.server", "is needed to send e-mail")
		}
		return
	}
	v.address("notify.email.server", e.Server)
	if _, err := mail.ParseAddress(e.From); err != nil || strings.ContainsAny(e.From, "\r\n") {
		v.fail("notify.email.from", "%q is not an address such as Vitrine <vitrine@example.com>", e.From)
	}
	if e.CAFile != "" {
		v.readable("notify.email.ca_file", e.CAFile)
	}
	if e.Username != "" && e.TLS == MailOff {
		v.fail("notify.email.username", "needs TLS: no password is sent without it")
	}
	if (e.Username == "") != e.Password.IsZero() {
		v.fail("notify.email", "needs both username and password, or neither")
	}
}
