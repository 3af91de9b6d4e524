package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "pw")
	require.NoError(t, os.WriteFile(secret, []byte("from file\n"), 0o600))
	yaml := `
http:
  listen: 0.0.0.0:8443
  trusted_proxies: [10.0.0.0/8]
media: {udp_ports: 14500-14599, public_addresses: ["203.0.113.7"]}
recording: {min_free: 2GiB, max_spool: 500MB}
session: {orphan_timeout: 90s, default_size: 1600x900}
log:
targets:
  - {id: a, protocol: vnc, address: "host:5900", password: literal, tls: {mode: off}, clipboard: {to_target: false}}
  - {id: b, name: B, protocol: vnc, address: "host:5901", password_file: ` + secret + `, tls: {mode: pin, fingerprint: "` + strings.Repeat("AB:", 31) + `ab"}}
  - {id: c, protocol: vnc, address: "host:5902", password_env: MY_PASSWORD}
`
	c, err := Parse([]byte(yaml), "/etc/vitrine", []string{
		"VITRINE_HTTP_LISTEN=127.0.0.1:9000", "VITRINE_DATA_DIR=data", "VITRINE_ENCODING_FRAME_RATE=60",
		"VITRINE_RECORDING_STORE_TLS_OFF=true", "VITRINE_HTTP_TRUSTED_PROXIES=192.0.2.1, 192.0.2.2", "MY_PASSWORD=from env",
		"VITRINE_SERVICE_HOST=10.0.0.1", "VITRINE_PORT_80_TCP=tcp://10.0.0.1:80", "PATH=/bin", "VITRINE_BIN=/x",
	})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9000", c.HTTP.Listen)
	require.Equal(t, []string{"192.0.2.1", "192.0.2.2"}, c.HTTP.TrustedProxies)
	require.Equal(t, PortRange{14500, 14599}, c.Media.UDPPorts)
	require.True(t, c.Recording.Store.TLS.Off)
	require.Equal(t, 60, c.Encoding.FrameRate)
	require.Equal(t, Size(2<<30), c.Recording.MinFree)
	require.Equal(t, Size(500e6), c.Recording.MaxSpool)
	require.Equal(t, 90*time.Second, c.Session.OrphanTimeout)
	require.Equal(t, Dimensions{1600, 900}, c.Session.DefaultSize)
	require.Equal(t, "/etc/vitrine/data/vitrine.db", c.Database.Path)
	require.Equal(t, "/etc/vitrine/data/spool", c.SpoolDir)
	require.Equal(t, "/etc/vitrine/data/recordings", c.Recording.Store.Path)
	require.Equal(t, "info", c.Log.Level, "an empty section leaves the defaults")

	require.Len(t, c.Targets, 3)
	require.Equal(t, "literal", c.Targets[0].Password.Reveal())
	require.Equal(t, "a", c.Targets[0].Name)
	require.False(t, *c.Targets[0].Clipboard.ToTarget)
	require.True(t, *c.Targets[0].Clipboard.FromTarget)
	require.Equal(t, "from file", c.Targets[1].Password.Reveal())
	require.Equal(t, "from env", c.Targets[2].Password.Reveal())
	require.Equal(t, TLSVerify, c.Targets[2].TLS.Mode)
}

func TestParseErrors(t *testing.T) {
	target := func(rest string) string {
		return "targets: [{id: a, protocol: vnc, address: \"h:1\", " + rest + "}]"
	}
	for _, tc := range []struct {
		name, yaml string
		environ    []string
		want       []string
	}{
		{name: "unknown key with a near one", yaml: "http: {listn: x}", want: []string{`unknown key "http.listn" (did you mean "http.listen"?)`}},
		{name: "swapped letters", yaml: "encodign: {}", want: []string{`unknown key "encodign" (did you mean "encoding"?)`}},
		{name: "unknown key, none near", yaml: "zebra: 1", want: []string{`unknown key "zebra"`}},
		{name: "unknown key in a list", yaml: target("paswrod: hunter2"), want: []string{`"targets[0].paswrod" (did you mean "targets[0].password"?)`}},
		{name: "dotted key", yaml: "http.listen: x", want: []string{`unknown key "http.listen"`}},
		{name: "several at once", yaml: "zebra: 1\nsandbox: maybe\nhttp: 7", want: []string{`"zebra"`, "http must be a section"}},
		{name: "several values at once", yaml: "sandbox: maybe\nlog: {level: loud}\ndata_dir: /d", want: []string{`sandbox: "maybe" is not one of off, best_effort, required`, `log.level: "loud"`}},
		{name: "unknown variable", environ: []string{"VITRINE_HTTP_LISTN=x"}, want: []string{"VITRINE_HTTP_LISTN (did you mean VITRINE_HTTP_LISTEN?)"}},
		{name: "unknown variable of a section", environ: []string{"VITRINE_RECORDING_SOMETHING_ELSE=x"}, want: []string{"VITRINE_RECORDING_SOMETHING_ELSE"}},
		{name: "bad variable", environ: []string{"VITRINE_ENCODING_FRAME_RATE=fast"}, want: []string{"encoding.frame_rate"}},
		{name: "duration without unit", yaml: "session: {orphan_timeout: 30}", want: []string{"session.orphan_timeout needs a duration with its unit"}},
		{name: "duration unreadable", yaml: "session: {orphan_timeout: soon}", want: []string{"session.orphan_timeout", "soon"}},
		{name: "size unreadable", yaml: "recording: {min_free: lots}", want: []string{"recording.min_free", `"lots" is not a size`}},
		{name: "ports", yaml: "media: {udp_ports: 5000-4000}", want: []string{"media.udp_ports", `"5000-4000" is not a range`}},
		{name: "numeric password", yaml: target("password: 0123456"), want: []string{"targets[0].password must be text: put it in quotes"}},
		{name: "two sources", yaml: target("password: hunter2, password_env: X"), environ: []string{"X=hunter2"}, want: []string{"targets[0].password: has more than one source"}},
		{name: "variable missing", yaml: target("password_env: NOT_SET"), want: []string{"targets[0].password: names the environment variable NOT_SET"}},
		{name: "file missing", yaml: target("password_file: /does/not/exist"), want: []string{"targets[0].password", "/does/not/exist"}},
		{name: "id twice", yaml: "targets: [{id: a, protocol: vnc, address: \"h:1\"}, {id: a, protocol: vnc, address: \"h:1\"}]", want: []string{`targets[1].id: "a" is already the id of targets[0]`}},
		{name: "bad id", yaml: "targets: [{id: 'a b', protocol: vnc, address: \"h:1\"}]", want: []string{`targets[0].id: "a b"`}},
		{name: "bad protocol", yaml: "targets: [{id: a, protocol: telnet, address: \"h:1\"}]", want: []string{`targets[0].protocol: "telnet" is not one of vnc, rdp`}},
		{name: "bad address", yaml: "targets: [{id: a, protocol: vnc, address: h}]", want: []string{`targets[0].address: "h" is not host:port`}},
		{name: "bad port", yaml: "targets: [{id: a, protocol: vnc, address: 'h:99999'}]", want: []string{`targets[0].address: "h:99999"`}},
		{name: "pin without fingerprint", yaml: target("tls: {mode: pin}"), want: []string{"targets[0].tls.fingerprint"}},
		{name: "fingerprint without pin", yaml: target("tls: {fingerprint: ab}"), want: []string{"targets[0].tls.fingerprint: is only for mode pin"}},
		{name: "half of TLS", yaml: "http: {tls: {cert_file: x}}", want: []string{"http.tls: needs both"}},
		{name: "proxy", yaml: "http: {trusted_proxies: [nobody]}", want: []string{`http.trusted_proxies[0]: "nobody"`}},
		{name: "public url", yaml: "http: {public_url: 'ftp://x'}", want: []string{`http.public_url: "ftp://x"`}},
		{name: "minio incomplete", yaml: "recording: {store: {type: minio, endpoint: 'h:9000'}}", want: []string{"recording.store.bucket: is needed", "recording.store.access_key", "recording.store.secret_key"}},
		{name: "not YAML", yaml: "{", want: []string{"config: yaml"}},
		{name: "not a map", yaml: "- a", want: []string{"config: yaml"}},
		{name: "the same key twice", yaml: "data_dir: a\ndata_dir: b", want: []string{"already defined"}},
		{name: "list expected", yaml: "targets: {}", want: []string{"targets must be a list"}},
		{name: "frame rate", yaml: "encoding: {frame_rate: 1000}", want: []string{"encoding.frame_rate: 1000 is not between 1 and 60"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.yaml), "", tc.environ)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "hunter2", "errors never quote a secret")
		})
	}
}

func TestDefaultIsValid(t *testing.T) {
	c, err := Parse(nil, "", nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", c.HTTP.Listen)
}

func TestEnvironmentNamesDoNotCollide(t *testing.T) {
	names := environmentNames("", reflect.TypeFor[Config]())
	paths := map[string]bool{}
	for _, path := range names {
		paths[path] = true
	}
	require.Len(t, paths, len(names))
	require.Equal(t, leaves(reflect.TypeFor[Config]()), len(names), "two paths with one variable would make the map smaller")
	require.Equal(t, "http.tls.cert_file", names["VITRINE_HTTP_TLS_CERT_FILE"])
	require.Equal(t, "media.udp_ports", names["VITRINE_MEDIA_UDP_PORTS"])
	require.NotContains(t, names, "VITRINE_TARGETS")
}

// leaves counts the keys that have a variable.
func leaves(t reflect.Type) int {
	n := 0
	for _, f := range fieldTypes(t) {
		switch {
		case f.Kind() == reflect.Struct && !reflect.PointerTo(f).Implements(textUnmarshalerType):
			n += leaves(f)
		case f.Kind() == reflect.Slice && f.Elem().Kind() == reflect.Struct:
		default:
			n++
		}
	}
	return n
}

func TestPrintRedactsAndLoadsAgain(t *testing.T) {
	t.Setenv("IGNORED", "1")
	yaml := `targets:
  - {id: a, protocol: vnc, address: "h:1", password: hunter2}
  - {id: b, protocol: rdp, address: "h:1", username: u, password: hunter2, rdp: {keyboard_layout: de-CH, graphics: [egfx], kerberos: {realm: EXAMPLE.COM}}}`
	c, err := Parse([]byte(yaml), "/base", nil)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, c.Print(&out))
	require.NotContains(t, out.String(), "hunter2")
	require.Contains(t, out.String(), "password: '[redacted]'")

	again, err := Parse(out.Bytes(), "/other", nil)
	require.NoError(t, err)
	for i := range c.Targets {
		c.Targets[i].Password, again.Targets[i].Password = Secret{}, Secret{}
	}
	// Empty lists print as [] and load as such.
	for _, x := range []*Config{c, again} {
		x.HTTP.TrustedProxies, x.Media.PublicAddresses = nil, nil
	}
	require.Equal(t, c, again)
}

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret("hunter2")
	holder := struct {
		S Secret
		P *Secret
	}{s, &s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "holder", holder)
	js, err := json.Marshal(holder)
	require.NoError(t, err)
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", holder, holder, holder), string(js), log.String(),
	} {
		require.NotContains(t, out, "hunter2")
		require.NotContains(t, out, fmt.Sprintf("%x", "hunter2"))
		require.Contains(t, out, redacted)
	}
	require.Empty(t, Secret{}.String())
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "4096": 4096, "1B": 1, "2GiB": 2 << 30, "1.5 GiB": 3 << 29, "500MB": 500e6, "3kB": 3000, "1TiB": 1 << 40,
	} {
		var s Size
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, s, text)
		var again Size
		require.NoError(t, again.UnmarshalText([]byte(s.String())))
		require.Equal(t, s, again)
	}
	for _, text := range []string{"", "GiB", "-1", "1XB", "NaN", "Inf", "9999999TiB", "1e400"} {
		var s Size
		require.Error(t, s.UnmarshalText([]byte(text)), text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("http: {listen: 127.0.0.1:1}"))
	f.Add([]byte("targets: [{id: a, protocol: vnc, address: 'h:1', password: x}]"))
	f.Add([]byte("? [a]\n: b"))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse(content, "/base", nil)
		if err == nil {
			require.NoError(t, c.Validate())
		}
	})
}

func TestExampleConfiguration(t *testing.T) {
	content, err := os.ReadFile("../../deploy/vitrine.example.yaml")
	require.NoError(t, err)
	// What the example refers to does not exist here; everything else about it must be right.
	dir := t.TempDir()
	content = bytes.ReplaceAll(content, []byte("/etc/vitrine/"), []byte(dir+"/"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "secrets"), 0o700))
	for _, name := range []string{"ca.pem", "secrets/build-server", "secrets/lab", "secrets/old-panel", "secrets/accounting", "secrets/jump-host"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	c, err := Parse(content, dir, nil)
	require.NoError(t, err)
	require.Len(t, c.Targets, 5)
}
