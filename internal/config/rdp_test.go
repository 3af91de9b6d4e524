package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRDP(t *testing.T) {
	c, err := Parse([]byte(`
session: {reconnect: 90s}
targets:
  - {id: plain, protocol: rdp, address: "host:3389", tls: {mode: first_use}}
  - id: all
    protocol: rdp
    address: host:3389
    domain: CORP
    username: ann
    password: x
    rdp:
      security: nla
      keyboard_layout: DE-ch
      keyboard: unicode
      color_depth: 16
      graphics: [bitmap, egfx]
      restricted_admin: true
      load_balance_info: "tsv://MS Terminal Services Plugin.1.Farm"
      redirect_to: ["*.example.com", 10.0.0.0/8, "::1", host]
      performance: {wallpaper: false, animations: true}
      kerberos: {realm: CORP.EXAMPLE.COM, kdcs: ["dc1.example.com:88", dc2, "2001:db8::1"], spn: TERMSRV/host.example.com}
  - {id: number, protocol: rdp, address: "host:3389", rdp: {keyboard_layout: 0x0000040c}}
`), "", nil)
	require.NoError(t, err)
	require.Equal(t, 90*time.Second, c.Session.Reconnect)

	plain := c.Targets[0].RDP
	require.Equal(t, RDPSecurityAuto, plain.Security)
	require.Equal(t, RDPScancodes, plain.Keyboard)
	require.Equal(t, 32, plain.ColorDepth)
	require.Zero(t, plain.KeyboardLayout)
	require.True(t, *plain.Performance.Wallpaper && *plain.Performance.FontSmoothing)
	require.False(t, *plain.Performance.Animations)

	all := c.Targets[1]
	require.Equal(t, "CORP", all.Domain)
	require.Equal(t, KeyboardLayout(0x0807), all.RDP.KeyboardLayout)
	require.Equal(t, []RDPGraphics{RDPGraphicsBitmap, RDPGraphicsEGFX}, all.RDP.Graphics)
	require.False(t, *all.RDP.Performance.Wallpaper)
	require.True(t, *all.RDP.Performance.Animations)
	require.Equal(t, &Kerberos{
		Realm: "CORP.EXAMPLE.COM", KDCs: []string{"dc1.example.com:88", "dc2", "2001:db8::1"}, SPN: "TERMSRV/host.example.com",
	}, all.RDP.Kerberos)
	require.Equal(t, KeyboardLayout(0x040c), c.Targets[2].RDP.KeyboardLayout)
}

func TestRDPErrors(t *testing.T) {
	credentials := `username: ann, password: hunter2, `
	for _, tc := range []struct{ name, rest, want string }{
		{"no TLS", `tls: {mode: "off"}`, `targets[0].tls.mode: "off" is not for protocol rdp`},
		{"security", `rdp: {security: rdp}`, `targets[0].rdp.security: "rdp" is not one of auto, nla, tls`},
		{"NLA without credentials", `rdp: {security: nla}`, `targets[0].rdp.security: "nla" needs username and password`},
		{"password without name", `password: hunter2`, `targets[0].username: is needed`},
		{"domain twice", `domain: A, ` + credentials[:9] + ` 'B\ann'`, `names a domain, and domain is "A"`},
		{"keyboard", `rdp: {keyboard: qwerty}`, `targets[0].rdp.keyboard: "qwerty" is not one of scancodes, unicode`},
		{"layout", `rdp: {keyboard_layout: de-CD}`, `targets[0].rdp.keyboard_layout: "de-CD" is not a keyboard layout (did you mean "de-CH"?)`},
		{"layout unlike any", `rdp: {keyboard_layout: qwertz-keyboard}`, `nor a number such as 0x0409`},
		{"depth", `rdp: {color_depth: 8}`, `targets[0].rdp.color_depth: 8 is not one of`},
		{"graphics", `rdp: {graphics: [jpeg]}`, `targets[0].rdp.graphics[0]: "jpeg"`},
		{"restricted admin over TLS", credentials + `rdp: {security: tls, restricted_admin: true}`, `targets[0].rdp.restricted_admin: needs network level`},
		{"restricted admin without credentials", `rdp: {restricted_admin: true}`, `restricted_admin: needs username and password`},
		{"load balancer", `rdp: {load_balance_info: "a\nb"}`, `targets[0].rdp.load_balance_info: holds a line end`},
		{"long load balancer", `rdp: {load_balance_info: ` + strings.Repeat("x", 257) + `}`, `holds 257 bytes, more than 238`},
		{"redirect", `rdp: {redirect_to: ["10.0.0.0/33"]}`, `targets[0].rdp.redirect_to[0]: "10.0.0.0/33"`},
		{"redirect anywhere", `rdp: {redirect_to: ["*"]}`, `targets[0].rdp.redirect_to[0]: "*"`},
		{"realm", credentials + `rdp: {kerberos: {realm: "A B"}}`, `targets[0].rdp.kerberos.realm: "A B"`},
		{"Kerberos without credentials", `rdp: {kerberos: {realm: A}}`, `targets[0].rdp.kerberos: needs username and password`},
		{"KDC", credentials + `rdp: {kerberos: {realm: A, kdcs: ["h:99999"]}}`, `targets[0].rdp.kerberos.kdcs[0]: "h:99999"`},
		{"SPN", credentials + `rdp: {kerberos: {realm: A, spn: host}}`, `targets[0].rdp.kerberos.spn: "host"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(`targets: [{id: a, protocol: rdp, address: "h:1", `+tc.rest+`}]`), "", nil)
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	for rest, want := range map[string]string{
		`targets: [{id: a, protocol: vnc, address: "h:1", rdp: {}}]`:      "targets[0].rdp: is only for protocol rdp",
		`targets: [{id: a, protocol: vnc, address: "h:1", domain: CORP}]`: "targets[0].domain: is only for protocol rdp",
		`session: {reconnect: 1h}`:                                        "session.reconnect: 1h0m0s is not between 0 and 10m0s",
		`session: {reconnect: 1500ms}`:                                    "session.reconnect: 1.5s is not a whole number",
	} {
		_, err := Parse([]byte(rest), "", nil)
		require.ErrorContains(t, err, want)
	}
}

func TestKeyboardLayouts(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range layouts {
		require.False(t, seen[l.name], l.name)
		seen[l.name] = true
		require.NotZero(t, l.id&0xffff, l.name)
		var k KeyboardLayout
		require.NoError(t, k.UnmarshalText([]byte(l.name)))
		require.Equal(t, l.id, k)
		var again KeyboardLayout
		require.NoError(t, again.UnmarshalText([]byte(k.String())))
		require.Equal(t, k, again)
	}
	for text, want := range map[string]KeyboardLayout{"": 0, "0x0000040c": 0x040c, "1031": 0x0407, "0x00010409": 0x00010409} {
		var k KeyboardLayout
		require.NoError(t, k.UnmarshalText([]byte(text)))
		require.Equal(t, want, k, text)
	}
	for _, text := range []string{"0", "0x100000000", "-1", "xx-XX-unknown-layout"} {
		var k KeyboardLayout
		require.Error(t, k.UnmarshalText([]byte(text)), text)
	}
}
