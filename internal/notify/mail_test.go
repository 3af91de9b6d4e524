package notify

import (
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
)

// mailServer is a real SMTP server that wants a sign-in and keeps what it is given.
type mailServer struct {
	address string
	caFile  string
	open    bool // it asks for no sign-in
	mu      sync.Mutex
	refuse  error // what it says to recipients
	got     []mailed
}

type mailed struct {
	from string
	to   []string
	data string
	tls  bool
}

// serveMail starts one: with STARTTLS, with TLS from the first byte, or with none.
func serveMail(t *testing.T, how MailTLS) *mailServer {
	t.Helper()
	m := &mailServer{open: how == MailPlain}
	cert, caFile := certificate(t)
	m.caFile = caFile
	s := smtp.NewServer(m)
	s.Domain, s.AllowInsecureAuth, s.ReadTimeout, s.WriteTimeout = "mail.test", how == MailPlain, waitLong, waitLong
	s.ErrorLog = discardLog{}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m.address = l.Addr().String()
	switch how {
	case MailSTARTTLS:
		s.TLSConfig = config
	case MailImplicit:
		l = tls.NewListener(l, config)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return m
}

type discardLog struct{}

func (discardLog) Printf(string, ...any) {}
func (discardLog) Println(...any)        {}

func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{m: m, c: c}, nil
}

func (m *mailServer) mails() []mailed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]mailed(nil), m.got...)
}

type mailSession struct {
	m      *mailServer
	c      *smtp.Conn
	signed bool
	mail   mailed
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "vitrine" || password != mailPassword {
			return smtp.ErrAuthFailed
		}
		s.signed = true
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.signed && !s.m.open {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.mail.to = append(s.mail.to, to)
	return s.m.refuse
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, s.mail.tls = s.c.TLSConnectionState()
	s.mail.data = string(b)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.got = append(s.m.got, s.mail)
	return nil
}

func (s *mailSession) Reset()        { s.mail = mailed{} }
func (s *mailSession) Logout() error { return nil }

func (m *mailServer) config(how MailTLS) *Mail {
	return &Mail{
		Server: m.address, TLS: how, CAFile: m.caFile, Username: "vitrine", Password: mailPassword,
		From: "Vitrine <vitrine@x.test>", PerHour: 100,
	}
}

// parts are the plain text and the HTML of a mail.
func (m mailed) parts(t *testing.T) (header mail.Header, text, html string) {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(m.data))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return msg.Header, text, html
		}
		require.NoError(t, err)
		body, err := io.ReadAll(part)
		require.NoError(t, err)
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			text = string(body)
		} else {
			html = string(body)
		}
	}
}

func TestMail(t *testing.T) {
	for _, how := range []MailTLS{MailSTARTTLS, MailImplicit} {
		t.Run(string(how), func(t *testing.T) {
			server := serveMail(t, how)
			r := newRig(t, storetest.Open(t, storetest.SQLite(t)), Options{Mail: server.config(how), ConsoleURL: "https://vitrine.test"})
			r.run()
			r.publish(Event{
				Kind: BreakGlass, Urgent: true, Title: "Break-glass: Ådel took \"Server\" <1>", Text: "Reason: <b>it burns</b>\nNow", Link: "/requests/1",
				To: []Recipient{{UserID: "a", Name: "Ann Öl", Email: "ann@x.test"}},
			})
			r.eventually(func() bool { return r.waiting() == 0 })
			require.Zero(t, r.failed(), r.log.String())
			mails := server.mails()
			require.Len(t, mails, 1)
			require.Equal(t, "vitrine@x.test", mails[0].from)
			require.Equal(t, []string{"ann@x.test"}, mails[0].to)
			require.True(t, mails[0].tls || how == MailImplicit)
			header, text, html := mails[0].parts(t)
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			require.NoError(t, err)
			require.Equal(t, "Break-glass: Ådel took \"Server\" <1>", subject)
			require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
			to, err := header.AddressList("To")
			require.NoError(t, err)
			require.Equal(t, []*mail.Address{{Name: "Ann Öl", Address: "ann@x.test"}}, to)
			require.Contains(t, text, "https://vitrine.test/requests/1")
			require.Contains(t, text, "<b>it burns</b>", "text is text")
			require.Contains(t, html, "&lt;b&gt;it burns&lt;/b&gt;", "and cannot become HTML")
		})
	}
}

// TestMailNeedsTLS: where TLS is asked for and not to be had, neither password nor mail is sent.
func TestMailNeedsTLS(t *testing.T) {
	for _, tc := range []struct {
		name   string
		server MailTLS
		change func(*Mail)
		sent   bool
	}{
		{"no STARTTLS", MailPlain, func(m *Mail) { m.TLS = MailSTARTTLS }, false},
		{"STARTTLS by nobody we know", MailSTARTTLS, func(m *Mail) { m.CAFile = "" }, false},
		{"a wrong password", MailSTARTTLS, func(m *Mail) { m.Password = "x" }, false},
		{"a password in the clear", MailPlain, func(*Mail) {}, false},
		{"plain, as was asked for", MailPlain, func(m *Mail) { m.Username, m.Password = "", "" }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := serveMail(t, tc.server)
			config := server.config(tc.server)
			tc.change(config)
			m, err := newMailer(*config)
			require.NoError(t, err)
			err = m.send(t.Context(), store.Delivery{ID: "1", Payload: `{"to":"ann@x.test","title":"T"}`})
			require.Equal(t, tc.sent, err == nil, "%v", err)
			require.Equal(t, tc.sent, len(server.mails()) == 1)
			if err != nil {
				require.False(t, isPermanent(err), "somebody may mend it")
				require.NotContains(t, err.Error(), mailPassword)
			}
		})
	}
}

func TestMailRefused(t *testing.T) {
	server := serveMail(t, MailSTARTTLS)
	m, err := newMailer(*server.config(MailSTARTTLS))
	require.NoError(t, err)
	d := store.Delivery{ID: "1", Payload: `{"to":"ann@x.test","title":"T"}`}
	server.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	require.True(t, isPermanent(m.send(t.Context(), d)))
	server.refuse = &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "try later"}
	err = m.send(t.Context(), d)
	require.Error(t, err)
	require.False(t, isPermanent(err))
}

// FuzzMailHeaders: whatever names, titles and addresses hold, a mail has the headers we give it and no other, and goes to
// one address.
func FuzzMailHeaders(f *testing.F) {
	for _, s := range []string{"", "T", "a\r\nBcc: eve@x.test", "a\nX: y", "a\rb", "\u2028Bcc: x", "=?utf-8?q?=0D=0ABcc:_x?=", `"<eve@x.test>, "`, strings.Repeat("é", 500), "\x00", "ann@x.test>\r\nRCPT TO:<eve@x.test"} {
		f.Add(s, s, "ann@x.test")
		f.Add("T", "n", s)
	}
	m, err := newMailer(Mail{Server: "127.0.0.1:25", From: "v@x.test", PerHour: 1})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, title, name, address string) {
		msg, err := m.compose(message{To: address, Name: name, Title: title, Text: title}, "1")
		if err != nil {
			return
		}
		var b strings.Builder
		_, err = msg.WriteTo(&b)
		require.NoError(t, err)
		parsed, err := mail.ReadMessage(strings.NewReader(b.String()))
		require.NoError(t, err)
		for k := range parsed.Header {
			require.Contains(t, []string{
				"Date", "From", "To", "Subject", "Message-Id", "Mime-Version", "Content-Type", "Auto-Submitted", "User-Agent", "X-Mailer",
				"Importance", "Priority", "X-Priority", "X-Msmail-Priority",
			}, k)
		}
		to, err := parsed.Header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, to, 1)
		recipients, err := msg.GetRecipients()
		require.NoError(t, err)
		require.Len(t, recipients, 1)
		require.NotContains(t, recipients[0], "\n")
	})
}
