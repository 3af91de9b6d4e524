package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAccess(t *testing.T) {
	cfg, err := Parse([]byte(`access: {approvals: 2, max_window: 4h, reason_min: 20, ticket_pattern: "CHG-[0-9]+|INC-[0-9]+"}`), "", nil)
	require.NoError(t, err)
	require.Equal(t, 2, cfg.Access.Approvals)
	require.Equal(t, 4*time.Hour, cfg.Access.MaxWindow)
	require.Equal(t, time.Hour, cfg.Access.BreakGlassWindow)
	for ticket, good := range map[string]bool{"CHG-1": true, "INC-22": true, "CHG-1x": false, "xINC-1": false, "CHG-1\nINC-1": false} {
		require.Equal(t, good, cfg.Access.Ticket().MatchString(ticket), ticket)
	}
	for yaml, complaint := range map[string]string{
		"access: {approvals: 0}":           "access.approvals: 0 is not between",
		"access: {approvals: 6}":           "access.approvals: 6 is not between",
		"access: {max_window: 1m}":         "access.max_window: 1m0s is not between",
		"access: {max_ahead: -1h}":         "access.max_ahead: -1h0m0s is not between",
		"access: {break_glass_window: 0s}": "access.break_glass_window: 0s is not between",
		"access: {ticket_pattern: \"(\"}":  "access.ticket_pattern: error parsing regexp",
		"access: {max_concurrent: 0}":      "access.max_concurrent: 0 is not between",
		"access: {approvers: 2}":           `unknown key "access.approvers" (did you mean "access.approvals"?)`,
	} {
		_, err := Parse([]byte(yaml), "", nil)
		require.ErrorContains(t, err, complaint, yaml)
	}
}

func TestNotify(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("from a file of its own\n"), 0o600))
	cfg, err := Parse([]byte(`notify:
  webhooks:
    - {name: siem, url: "https://siem.test/hook", secret_file: secret, events: [break_glass.used]}
    - {name: chat, url: "https://chat.test/hook", secret_env: VITRINE_NOTIFY_CHAT_SECRET}
    - {name: here, url: "http://127.0.0.1:1/hook", secret: "written in the file"}
  email: {server: "mail.test:587", from: "Vitrine <v@mail.test>", username: v}
`), dir, []string{"VITRINE_NOTIFY_EMAIL_PASSWORD=hunter2", "VITRINE_NOTIFY_CHAT_SECRET=from the environment"})
	require.NoError(t, err)
	require.Equal(t, "from a file of its own", cfg.Notify.Webhooks[0].Secret.Reveal())
	require.Equal(t, "from the environment", cfg.Notify.Webhooks[1].Secret.Reveal())
	require.Equal(t, "hunter2", cfg.Notify.Email.Password.Reveal())
	var shown bytes.Buffer
	require.NoError(t, cfg.Print(&shown))
	for _, secret := range []string{"hunter2", "from a file", "from the environment", "written in"} {
		require.NotContains(t, shown.String(), secret)
	}

	hook := func(more string) string {
		return `notify: {webhooks: [{name: a, secret: "0123456789abcdef", ` + more + `}]}`
	}
	for yaml, complaint := range map[string]string{
		hook(`url: "http://siem.test/hook"`):                                                                "notify.webhooks[0].url: is not https",
		hook(`url: "ftp://siem.test/hook"`):                                                                 `has the scheme "ftp"`,
		hook(`url: "siem.test"`):                                                                            "notify.webhooks[0].url: is not an address",
		hook(`url: "https://x.test", ca_file: "no"`):                                                        "notify.webhooks[0].ca_file",
		hook(`url: "https://x.test", events: [all]`):                                                        `notify.webhooks[0].events: "all"`,
		hook(`url: "https://x.test", name: "A b"`):                                                          "already defined",
		`notify: {webhooks: [{name: a, url: "https://x.test", secret: short}]}`:                             "notify.webhooks[0].secret: is needed, of at least 16 bytes",
		`notify: {webhooks: [{name: "A b", url: "https://x.test", secret: "0123456789abcdef"}]}`:            "notify.webhooks[0].name",
		`notify: {email: {from: "v@x.test"}}`:                                                               "notify.email.server: is needed",
		`notify: {email: {server: "mail.test", from: "v@x.test"}}`:                                          "is not host:port",
		`notify: {email: {server: "mail.test:25", from: "nobody"}}`:                                         "notify.email.from",
		`notify: {email: {server: "mail.test:25", from: "v@x.test", username: v}}`:                          "needs both username and password",
		`notify: {email: {server: "mail.test:25", from: "v@x.test", tls: maybe}}`:                           `notify.email.tls: "maybe" is not one of`,
		`notify: {email: {server: "mail.test:25", from: "v@x.test", tls: "off", username: v, password: p}}`: "no password is sent without it",
		`notify: {max_waiting: 1}`:                                                                          "notify.max_waiting: 1 is not between",
	} {
		_, err := Parse([]byte(yaml), "", nil)
		require.ErrorContains(t, err, complaint, yaml)
	}
}
