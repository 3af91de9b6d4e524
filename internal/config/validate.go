package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of values.
const (
	MaxTargets     = 100_000
	maxFrameRate   = 60
	minBitrate     = 100_000     // bits a second, under which text is not legible
	maxBitrate     = 200_000_000 // bits a second
	minDesktopSide = 16          // pixels
	maxDesktopSide = 8192        // pixels
	maxTimeout     = 24 * time.Hour
	maxReconnect   = 10 * time.Minute
)

var targetID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Validate checks every value and joins everything that is wrong, each naming its path and value.
func (c *Config) Validate() error {
	v := &validator{}
	v.http(&c.HTTP)
	v.required("data_dir", c.DataDir)
	v.limits(&c.Limits)
	v.database(&c.Database)
	v.secrets(&c.Secrets)
	v.transit(&c.Secrets.Transit, c.Credentials.Vaults)
	v.credentials(&c.Credentials)
	v.media(&c.Media)
	v.turn(c)
	v.native(&c.Native)
	v.evidence(&c.Evidence)
	v.detection(&c.Detection)
	v.ocr(&c.OCR)
	v.policy(c)
	v.store(&c.Recording.Store)
	v.retention(&c.Recording)
	v.export(&c.Recording.Export)
	v.oneOf("recording.keys", string(c.Recording.Keys), string(KeysFull), string(KeysCommands), string(KeysNone))
	v.oneOf("recording.search", string(c.Recording.Search), string(SearchAll), string(SearchUnencrypted), string(SearchOff))
	v.between("encoding.frame_rate", int64(c.Encoding.FrameRate), 1, maxFrameRate)
	v.between("encoding.max_bitrate", c.Encoding.MaxBitrate, minBitrate, maxBitrate)
	v.audit(&c.Audit)
	v.session(&c.Session)
	v.identity(c)
	v.access(&c.Access)
	v.notify(&c.Notify)
	v.oneOf("sandbox", string(c.Sandbox), string(SandboxOff), string(SandboxBestEffort), string(SandboxRequired))
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	if c.Metrics.Listen != "" {
		v.address("metrics.listen", c.Metrics.Listen)
	}
	if len(c.Targets) > MaxTargets {
		v.fail("targets", "holds %d, more than %d", len(c.Targets), MaxTargets)
		return v.err()
	}
	seen := make(map[string]int, len(c.Targets))
	for i := range c.Targets {
		path := fmt.Sprintf("targets[%d]", i)
		v.target(path, &c.Targets[i])
		if first, twice := seen[c.Targets[i].ID]; twice {
			v.fail(path+".id", "%q is already the id of targets[%d]", c.Targets[i].ID, first)
		}
		seen[c.Targets[i].ID] = i
	}
	return v.err()
}

// CheckTarget fills what is not set of a target that is not of the configuration, and returns what is wrong with it, nil
// if nothing is. Its credentials are elsewhere.
func CheckTarget(t *Target) []Problem {
	t.derive()
	v := &validator{apart: true}
	v.target("", t)
	return v.problems
}

// Problem is a value that is wrong.
type Problem struct {
	Path string // of the key, such as tls.mode
	Err  error
}

func (p *Problem) Error() string { return p.Path + ": " + p.Err.Error() }

func (p *Problem) Unwrap() error { return p.Err }

type validator struct {
	problems []Problem
	apart    bool // credentials of targets are elsewhere
}

func (v *validator) err() error {
	var errs []error
	for _, p := range v.problems {
		errs = append(errs, fmt.Errorf("config: %w", &p))
	}
	return errors.Join(errs...)
}

func (v *validator) fail(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{strings.TrimPrefix(path, "."), fmt.Errorf(format, args...)})
}

func (v *validator) required(path, value string) {
	if value == "" {
		v.fail(path, "is needed")
	}
}

func (v *validator) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.fail(path, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func (v *validator) between(path string, value, low, high int64) {
	if value < low || value > high {
		v.fail(path, "%d is not between %d and %d", value, low, high)
	}
}

func (v *validator) address(path, value string) {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		v.fail(path, "%q is not host:port", value)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		v.fail(path, "%q has no port between 0 and 65535", value)
	}
}

func (v *validator) readable(path, file string) {
	if f, err := os.Open(file); err != nil {
		v.fail(path, "%w", err)
	} else {
		f.Close()
	}
}

func (v *validator) http(h *HTTP) {
	v.address("http.listen", h.Listen)
	v.httpTLS(&h.TLS)
	for i, p := range h.TrustedProxies {
		_, errAddr := netip.ParseAddr(p)
		_, errNet := netip.ParsePrefix(p)
		if errAddr != nil && errNet != nil {
			v.fail(fmt.Sprintf("http.trusted_proxies[%d]", i), "%q is neither an IP address nor a network", p)
		}
	}
	if h.PublicURL != "" {
		u, err := url.Parse(h.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" {
			v.fail("http.public_url", "%q is not https://host or http://host with at most a port", h.PublicURL)
		}
	}
}

func (v *validator) media(m *Media) {
	if m.UDPPorts.First == 0 {
		v.fail("media.udp_ports", "is needed")
	}
	if m.Bind != "" {
		if _, err := netip.ParseAddr(m.Bind); err != nil {
			v.fail("media.bind", "%q is not an IP address", m.Bind)
		}
	}
	for i, a := range m.PublicAddresses {
		if _, err := netip.ParseAddr(a); err != nil {
			v.fail(fmt.Sprintf("media.public_addresses[%d]", i), "%q is not an IP address", a)
		}
	}
}

func (v *validator) store(s *Store) {
	v.oneOf("recording.store.type", string(s.Type), string(StoreDisk), string(StoreMinIO))
	if s.Type != StoreMinIO {
		return
	}
	v.address("recording.store.endpoint", s.Endpoint)
	v.required("recording.store.bucket", s.Bucket)
	v.required("recording.store.access_key", s.AccessKey)
	if s.SecretKey.IsZero() {
		v.fail("recording.store.secret_key", "is needed")
	}
	if s.TLS.CAFile != "" {
		v.readable("recording.store.tls.ca_file", s.TLS.CAFile)
	}
	if s.TLS.Off && s.TLS.CAFile != "" {
		v.fail("recording.store.tls", "is off and has a ca_file")
	}
}

func (v *validator) session(s *Session) {
	if s.OrphanTimeout < 0 || s.OrphanTimeout > maxTimeout {
		v.fail("session.orphan_timeout", "%v is not between 0 and %v", s.OrphanTimeout, maxTimeout)
	}
	if s.OrphanTimeout%time.Second != 0 {
		v.fail("session.orphan_timeout", "%v is not a whole number of seconds", s.OrphanTimeout)
	}
	if s.ConnectTimeout < time.Second || s.ConnectTimeout > 10*time.Minute {
		v.fail("session.connect_timeout", "%v is not between 1s and 10m", s.ConnectTimeout)
	}
	if s.Reconnect < 0 || s.Reconnect > maxReconnect {
		v.fail("session.reconnect", "%v is not between 0 and %v", s.Reconnect, maxReconnect)
	}
	if s.Reconnect%time.Second != 0 {
		v.fail("session.reconnect", "%v is not a whole number of seconds", s.Reconnect)
	}
	if d := s.DefaultSize; d != (Dimensions{}) {
		v.between("session.default_size", int64(d.Width), minDesktopSide, maxDesktopSide)
		v.between("session.default_size", int64(d.Height), minDesktopSide, maxDesktopSide)
	}
}

func (v *validator) target(path string, t *Target) {
	if !targetID.MatchString(t.ID) {
		v.fail(path+".id", "%q is not an id: 1 to 128 letters, digits, dots, dashes and underscores", t.ID)
	}
	v.oneOf(path+".protocol", t.Protocol, ProtocolVNC, ProtocolRDP)
	v.address(path+".address", t.Address)
	v.oneOf(path+".tls.mode", string(t.TLS.Mode), string(TLSVerify), string(TLSPin), string(TLSFirstUse), string(TLSOff))
	switch t.Protocol {
	case ProtocolRDP:
		v.rdp(path, t)
	case ProtocolVNC:
		if t.RDP != nil {
			v.fail(path+".rdp", "is only for protocol rdp")
		}
		if t.Domain != "" {
			v.fail(path+".domain", "is only for protocol rdp")
		}
	}
	only := func(mode TLSMode, key, value string) {
		if value != "" && t.TLS.Mode != mode {
			v.fail(path+".tls."+key, "is only for mode %s, and the mode is %s", mode, t.TLS.Mode)
		}
	}
	only(TLSVerify, "ca_file", t.TLS.CAFile)
	only(TLSVerify, "server_name", t.TLS.ServerName)
	only(TLSPin, "fingerprint", t.TLS.Fingerprint)
	if t.TLS.CAFile != "" {
		v.readable(path+".tls.ca_file", t.TLS.CAFile)
	}
	if t.TLS.Mode == TLSPin {
		if _, err := ParseFingerprint(t.TLS.Fingerprint); err != nil {
			v.fail(path+".tls.fingerprint", "%w", err)
		}
	}
}

// ParseFingerprint reads a SHA-256 fingerprint in hex, with or without colons, and returns it in lower-case hex.
func ParseFingerprint(s string) (string, error) {
	plain := strings.ToLower(strings.ReplaceAll(s, ":", ""))
	if raw, err := hex.DecodeString(plain); err != nil || len(raw) != 32 {
		return "", fmt.Errorf("%q is not a SHA-256 fingerprint of 64 hex digits", s)
	}
	return plain, nil
}
