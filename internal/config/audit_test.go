package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAudit(t *testing.T) {
	c, err := Parse([]byte(`
data_dir: /d
audit:
  checkpoint_interval: 10s
  sinks:
    - {name: siem, type: syslog, address: "siem.example:6514"}
    - {name: file, type: file, path: audit.json}
    - {name: hook, type: webhook, url: "https://hook.example/x", secret: a-secret-of-some-length}
`), "/etc/v", nil)
	require.NoError(t, err)
	require.Equal(t, "/d/audit", c.Audit.CheckpointsDir)
	require.Equal(t, 10*time.Second, c.Audit.CheckpointInterval)
	require.Equal(t, AuditSink{Name: "siem", Type: SinkSyslog, Address: "siem.example:6514", Network: SyslogTLS, Format: SyslogJSON}, c.Audit.Sinks[0])
	require.Equal(t, "/etc/v/audit.json", c.Audit.Sinks[1].Path)

	for name, sink := range map[string]string{
		"audit.sinks[0].name":    `{name: "A b", type: file, path: x}`,
		"audit.sinks[0].type":    `{name: a, type: kafka}`,
		"audit.sinks[0].address": `{name: a, type: syslog, address: siem}`,
		"audit.sinks[0].network": `{name: a, type: syslog, address: "h:1", network: sctp}`,
		"audit.sinks[0].format":  `{name: a, type: syslog, address: "h:1", format: xml}`,
		"both cert_file and":     `{name: a, type: syslog, address: "h:1", cert_file: x}`,
		"audit.sinks[0].ca_file": `{name: a, type: syslog, address: "h:1", network: tcp, ca_file: x}`,
		"audit.sinks[0].path":    `{name: a, type: file}`,
		"audit.sinks[0].url":     `{name: a, type: webhook, url: "http://hook.example/", secret: a-secret-of-some-length}`,
		"audit.sinks[0].secret":  `{name: a, type: webhook, url: "https://hook.example/"}`,
		"audit.sinks[1].name":    `{name: a, type: file, path: x}, {name: a, type: file, path: y}`,
	} {
		_, err := Parse([]byte("data_dir: /d\naudit: {sinks: ["+sink+"]}"), "", nil)
		require.ErrorContains(t, err, name)
	}
	for key, value := range map[string]string{"checkpoint_interval": "1ms", "store_interval": "25h", "checkpoint_entries": "0"} {
		_, err := Parse([]byte("data_dir: /d\naudit: {"+key+": "+value+"}"), "", nil)
		require.ErrorContains(t, err, "audit."+key)
	}
}
