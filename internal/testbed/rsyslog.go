package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Rsyslog is a real syslog receiver that writes each message on a line of a file: its MSGID, its structured data and its
// text, tabs between.
type Rsyslog struct {
	Address string // host:port, RFC 5425
	Cert    *Cert  // what it shows

	t       TB
	folder  string
	process *Process
}

// StartRsyslog starts rsyslogd with TLS, as whoever runs the test.
func StartRsyslog(t TB) *Rsyslog {
	t.Helper()
	Require(t, "rsyslogd")
	r := &Rsyslog{Address: freeAddr(t), Cert: NewCert(t, "127.0.0.1"), t: t, folder: t.TempDir()}
	r.Start()
	return r
}

// Start starts it again after Stop, at the same address and with the same file.
func (r *Rsyslog) Start() {
	r.t.Helper()
	conf := filepath.Join(r.folder, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%[1]q DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile=%[2]q
	DefaultNetstreamDriverCertFile=%[2]q DefaultNetstreamDriverKeyFile=%[3]q maxMessageSize="64k")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" address="127.0.0.1" port=%[4]q)
template(name="line" type="string" string="%%msgid%%\t%%structured-data%%\t%%msg%%\n")
action(type="omfile" file=%[5]q template="line")
`, r.folder, r.Cert.CertFile, r.Cert.KeyFile, port(r.Address), r.file())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		r.t.Fatalf("testbed: rsyslog: %v", err)
	}
	r.process = start(r.t, spawn{name: program(r.t, "rsyslogd"), args: []string{"-n", "-f", conf, "-i", filepath.Join(r.folder, "pid")}})
	WaitTCP(r.t, r.Address, startTimeout)
}

// Stop ends it; what it wrote stays.
func (r *Rsyslog) Stop() { r.process.Stop() }

// Lines returns what it has written.
func (r *Rsyslog) Lines() []string {
	content, err := os.ReadFile(r.file())
	if err != nil {
		return nil // nothing yet
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

func (r *Rsyslog) file() string { return filepath.Join(r.folder, "messages") }
