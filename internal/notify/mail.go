package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net"
	"strconv"
	"strings"
	texttemplate "text/template"
	"unicode"

	"github.com/wneessen/go-mail"

	"github.com/vitrine-psm/vitrine/internal/store"
)

// urgentFactor is how many times as many mails an address takes in an hour when they are urgent.
const urgentFactor = 3

// MailTLS is how the connection to the mail server is kept from others.
type MailTLS string

// How the connection to the mail server is kept from others.
const (
	MailSTARTTLS MailTLS = "starttls" // plain, then TLS before anything is said; without it nothing is sent
	MailImplicit MailTLS = "implicit" // TLS from the first byte
	MailPlain    MailTLS = "off"
)

// Mail is the server e-mail goes out by.
type Mail struct {
	Server   string // host:port
	TLS      MailTLS
	CAFile   string // PEM; empty: the system's roots
	Username string // "": the server asks for no sign-in
	Password string
	From     string // RFC 5322 address, perhaps with a name
	PerHour  int    // mails to one address
}

// message is the payload of a delivery by e-mail.
type message struct {
	To     string `json:"to"`
	Name   string `json:"name"`
	Title  string `json:"title"`
	Text   string `json:"text"`
	Link   string `json:"link,omitempty"`
	Urgent bool   `json:"urgent,omitempty"`
	Last   bool   `json:"last,omitempty"` // no more go to this address for the rest of the hour
}

type mailer struct {
	host    string
	from    string
	perHour int
	options []mail.Option
}

var _ sender = (*mailer)(nil)

func newMailer(m Mail) (*mailer, error) {
	host, portText, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, fmt.Errorf("notify: mail server: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("notify: mail server: port %q: %w", portText, err)
	}
	roots, err := rootsOf(m.CAFile)
	if err != nil {
		return nil, fmt.Errorf("notify: mail server: %w", err)
	}
	out := &mailer{host: host, from: m.From, perHour: m.PerHour, options: []mail.Option{
		mail.WithPort(port), mail.WithTimeout(sendTimeout),
		mail.WithTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: roots}),
	}}
	switch m.TLS {
	case MailImplicit:
		out.options = append(out.options, mail.WithSSL())
	case MailPlain:
		out.options = append(out.options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		out.options = append(out.options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.Username != "" {
		out.options = append(out.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.Username), mail.WithPassword(m.Password))
	}
	// Everything but the connection is checked now.
	if _, err := mail.NewClient(host, out.options...); err != nil {
		return nil, fmt.Errorf("notify: mail server: %w", err)
	}
	if err := mail.NewMsg().From(m.From); err != nil {
		return nil, fmt.Errorf("notify: sender of mails: %w", err)
	}
	return out, nil
}

// send implements sender.
func (m *mailer) send(ctx context.Context, d store.Delivery) error {
	var content message
	if err := json.Unmarshal([]byte(d.Payload), &content); err != nil {
		return permanent(fmt.Errorf("notify: mail: %w", err))
	}
	msg, err := m.compose(content, d.ID)
	if err != nil {
		return permanent(err)
	}
	client, err := mail.NewClient(m.host, m.options...)
	if err != nil {
		return permanent(fmt.Errorf("notify: mail: %w", err))
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		if e, ok := errors.AsType[*mail.SendError](err); ok && !e.IsTemp() && e.ErrorCode() >= 500 && refusesThis(e.Reason) {
			return permanent(fmt.Errorf("notify: mail: %w", err))
		}
		return fmt.Errorf("notify: mail: %w", err)
	}
	return nil
}

// refusesThis tells whether the server refused this mail, as opposed to all of them for now.
func refusesThis(reason mail.SendErrReason) bool {
	return reason == mail.ErrSMTPRcptTo || reason == mail.ErrSMTPData || reason == mail.ErrSMTPDataClose
}

// compose makes the mail. Nothing in content reaches a header but as one line that the library encodes.
func (m *mailer) compose(content message, id string) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(m.from); err != nil {
		return nil, fmt.Errorf("notify: mail: sender: %w", err)
	}
	if strings.ContainsFunc(content.To, unicode.IsControl) {
		return nil, errors.New("notify: mail: the address holds control characters")
	}
	if err := msg.AddToFormat(oneLine(content.Name), content.To); err != nil {
		return nil, fmt.Errorf("notify: mail: recipient: %w", err)
	}
	msg.Subject(oneLine(content.Title))
	msg.SetMessageIDWithValue(id + "@" + m.host)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers by machines
	if content.Urgent {
		msg.SetImportance(mail.ImportanceUrgent)
	}
	if err := msg.SetBodyTextTemplate(textMail, content); err != nil {
		return nil, fmt.Errorf("notify: mail: %w", err)
	}
	if err := msg.AddAlternativeHTMLTemplate(htmlMail, content); err != nil {
		return nil, fmt.Errorf("notify: mail: %w", err)
	}
	return msg, nil
}

// oneLine makes one line of s: what a header takes.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }), " ")
}

const held = "You get no more mails from Vitrine for the rest of this hour. The console has all of them."

var textMail = texttemplate.Must(texttemplate.New("mail").Parse(`{{.Title}}
{{if .Text}}
{{.Text}}
{{end}}{{if .Link}}
{{.Link}}
{{end}}{{if .Last}}
` + held + `
{{end}}
-- 
Vitrine
`))

var htmlMail = htmltemplate.Must(htmltemplate.New("mail").Parse(`<!doctype html>
<html><body style="margin:0;padding:24px;background:#f4f6f4;font-family:system-ui,sans-serif;color:#16201e">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#fff;border:1px solid #dde2df;border-top:4px solid {{if .Urgent}}#a83626{{else}}#146c65{{end}};border-radius:8px">
<h1 style="margin:0 0 12px;font-size:18px">{{.Title}}</h1>
{{if .Text}}<p style="margin:0 0 16px;white-space:pre-line;line-height:1.5">{{.Text}}</p>{{end}}
{{if .Link}}<p style="margin:0"><a href="{{.Link}}" style="color:#146c65">Open in Vitrine</a></p>{{end}}
{{if .Last}}<p style="margin:16px 0 0;color:#53605b">` + held + `</p>{{end}}
</div></body></html>
`))
