package config

import (
	"cmp"
	"fmt"
	"time"
)

// Audit is the log of who did what.
type Audit struct {
	// CheckpointsDir is where checkpoints are kept besides the database, so that one put back to an earlier state is found;
	// empty: audit in the data folder. They also go to the store of recordings, at most every StoreInterval.
	CheckpointsDir     string        `yaml:"checkpoints_dir"`
	CheckpointInterval time.Duration `yaml:"checkpoint_interval"`
	CheckpointEntries  int           `yaml:"checkpoint_entries"` // or after so many entries, if that is sooner
	StoreInterval      time.Duration `yaml:"store_interval"`
	Sinks              []AuditSink   `yaml:"sinks,omitempty"` // where entries are sent on
}

// AuditSink is somewhere entries are sent on to.
type AuditSink struct {
	Name string `yaml:"name"` // of its cursor: with another name it begins at the first entry
	Type string `yaml:"type"` // syslog, file, webhook

	Address    string `yaml:"address,omitempty"`     // syslog: host:port
	Network    string `yaml:"network,omitempty"`     // syslog: tls unless set, tcp, udp
	Format     string `yaml:"format,omitempty"`      // syslog: json unless set, cef
	CAFile     string `yaml:"ca_file,omitempty"`     // syslog with tls, webhook: PEM; empty: the system's roots
	CertFile   string `yaml:"cert_file,omitempty"`   // syslog with tls: what the gateway shows; empty: nothing
	KeyFile    string `yaml:"key_file,omitempty"`    // of cert_file
	ServerName string `yaml:"server_name,omitempty"` // syslog with tls: empty: the host of the address

	Path string `yaml:"path,omitempty"` // file

	URL        string `yaml:"url,omitempty"`    // webhook
	Secret     Secret `yaml:"secret,omitempty"` // webhook: what requests are signed with; base64 after "whsec_"
	SecretFile string `yaml:"secret_file,omitempty"`
	SecretEnv  string `yaml:"secret_env,omitempty"`
	Plaintext  bool   `yaml:"plaintext,omitempty"` // webhook: http is allowed
}

// Types of sinks, and networks and formats of syslog.
const (
	SinkSyslog  = "syslog"
	SinkFile    = "file"
	SinkWebhook = "webhook"

	SyslogTLS  = "tls"
	SyslogTCP  = "tcp"
	SyslogUDP  = "udp"
	SyslogJSON = "json"
	SyslogCEF  = "cef"
)

const maxSinks = 20

func (a *Audit) derive() {
	for i := range a.Sinks {
		if s := &a.Sinks[i]; s.Type == SinkSyslog {
			s.Network, s.Format = cmp.Or(s.Network, SyslogTLS), cmp.Or(s.Format, SyslogJSON)
		}
	}
}

func (v *validator) sinks(list []AuditSink) {
	if len(list) > maxSinks {
		v.fail("audit.sinks", "holds %d, more than %d", len(list), maxSinks)
		return
	}
	seen := map[string]bool{}
	for i := range list {
		s := &list[i]
		path := fmt.Sprintf("audit.sinks[%d]", i)
		if !webhookName.MatchString(s.Name) {
			v.fail(path+".name", "%q is not 1 to 64 lower-case letters, digits, dots, dashes and underscores", s.Name)
		}
		if seen[s.Name] {
			v.fail(path+".name", "%q is there twice", s.Name)
		}
		seen[s.Name] = true
		v.oneOf(path+".type", s.Type, SinkSyslog, SinkFile, SinkWebhook)
		switch s.Type {
		case SinkSyslog:
			v.syslog(path, s)
		case SinkFile:
			v.required(path+".path", s.Path)
		case SinkWebhook:
			v.webhook(path, &NotifyWebhook{Name: s.Name, URL: s.URL, Secret: s.Secret, CAFile: s.CAFile, Plaintext: s.Plaintext})
		}
	}
}

func (v *validator) syslog(path string, s *AuditSink) {
	v.address(path+".address", s.Address)
	v.oneOf(path+".network", s.Network, SyslogTLS, SyslogTCP, SyslogUDP)
	v.oneOf(path+".format", s.Format, SyslogJSON, SyslogCEF)
	if (s.CertFile == "") != (s.KeyFile == "") {
		v.fail(path, "needs both cert_file and key_file, or neither")
	}
	for _, f := range []struct{ key, file string }{{"ca_file", s.CAFile}, {"cert_file", s.CertFile}, {"key_file", s.KeyFile}} {
		if f.file == "" {
			continue
		}
		if s.Network != SyslogTLS {
			v.fail(path+"."+f.key, "is for network tls only")
		}
		v.readable(path+"."+f.key, f.file)
	}
}

// Bounds of values.
const (
	minCheckpointInterval = time.Second
	maxCheckpointInterval = 24 * time.Hour
	maxCheckpointEntries  = 1_000_000
)

func (v *validator) audit(a *Audit) {
	for _, d := range []struct {
		path  string
		value time.Duration
	}{{"audit.checkpoint_interval", a.CheckpointInterval}, {"audit.store_interval", a.StoreInterval}} {
		if d.value < minCheckpointInterval || d.value > maxCheckpointInterval {
			v.fail(d.path, "%v is not between %v and %v", d.value, minCheckpointInterval, maxCheckpointInterval)
		}
	}
	v.sinks(a.Sinks)
	v.between("audit.checkpoint_entries", int64(a.CheckpointEntries), 1, maxCheckpointEntries)
}
