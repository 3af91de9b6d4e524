package vncclient

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// VeNCrypt subtypes (rfbproto, "VeNCrypt"). Those of TLS without X509 use anonymous Diffie-Hellman: anyone
// may answer.
const (
	vencryptPlain     = 256
	vencryptX509None  = 260
	vencryptX509Vnc   = 261
	vencryptX509Plain = 262
)

// maxPlainBytes bounds a username or password of X509Plain.
const maxPlainBytes = 1024

// veNCrypt is security type 19: a subtype, TLS, and an authentication inside it.
type veNCrypt struct{ s *session }

// SecurityType implements vnc.ClientAuth.
func (*veNCrypt) SecurityType() uint8 { return securityVeNCrypt }

// Handshake implements vnc.ClientAuth.
func (v *veNCrypt) Handshake(c net.Conn) error {
	subtype, err := v.negotiate()
	if err != nil {
		return err
	}
	if subtype >= vencryptPlain {
		if err := v.secure(); err != nil {
			return err
		}
	}
	switch subtype {
	case vencryptX509Plain:
		return v.plain()
	case vencryptX509Vnc, securityVncAuth:
		return (&vnc.PasswordAuth{Password: string(v.s.cfg.Password)}).Handshake(c)
	}
	return nil
}

// negotiate agrees on version 0.2 and a subtype.
func (v *veNCrypt) negotiate() (uint32, error) {
	in := v.s.in
	version, err := in.Next(2)
	if err != nil {
		return 0, streamError("reading the VeNCrypt version", err)
	}
	if version[0] == 0 && version[1] < 2 {
		return 0, protocolError("VeNCrypt version 0.%d is older than 0.2", version[1])
	}
	if _, err := v.s.conn.Write([]byte{0, 2}); err != nil {
		return 0, streamError("answering the VeNCrypt version", err)
	}
	p, err := in.Next(2)
	if err != nil {
		return 0, streamError("reading the VeNCrypt subtypes", err)
	}
	status, n := p[0], int(p[1])
	if status != 0 {
		return 0, protocolError("the target refused VeNCrypt version 0.2 with status %d", status)
	}
	if n > maxSecurityTypes {
		return 0, protocolError("%d VeNCrypt subtypes exceed %d", n, maxSecurityTypes)
	}
	if p, err = in.Next(4 * n); err != nil {
		return 0, streamError("reading the VeNCrypt subtypes", err)
	}
	offered := make([]uint32, n)
	for i := range offered {
		offered[i] = binary.BigEndian.Uint32(p[4*i:])
	}
	subtype, err := v.choose(offered)
	if err != nil {
		return 0, err
	}
	if _, err := v.s.conn.Write(binary.BigEndian.AppendUint32(nil, subtype)); err != nil {
		return 0, streamError("choosing a VeNCrypt subtype", err)
	}
	return subtype, nil
}

// choose returns the best subtype of those offered: with a certificate and all credentials there are; without
// TLS only when that is allowed, since TigerVNC lists those here too.
func (v *veNCrypt) choose(offered []uint32) (uint32, error) {
	cfg := &v.s.cfg
	var wanted []uint32
	add := func(t uint32, when bool) {
		if when {
			wanted = append(wanted, t)
		}
	}
	add(vencryptX509Plain, cfg.Username != "")
	add(vencryptX509Vnc, cfg.Password != "")
	add(vencryptX509None, true)
	add(securityVncAuth, cfg.AllowPlaintext && cfg.Password != "")
	add(securityNone, cfg.AllowPlaintext)
	for _, t := range wanted {
		if slices.Contains(offered, t) {
			return t, nil
		}
	}
	switch {
	case slices.Contains(offered, vencryptX509Vnc):
		return 0, fmt.Errorf("vncclient: the target asks for a password and none is configured: %w", desktop.ErrAuth)
	case slices.Contains(offered, vencryptX509Plain):
		return 0, fmt.Errorf("vncclient: the target asks for a username and none is configured: %w", desktop.ErrAuth)
	}
	return 0, fmt.Errorf("vncclient: the target offers %s, none of which proves its identity by a certificate "+
		"(X509None, X509Vnc, X509Plain): %w", typeNames(offered), desktop.ErrSecurity)
}

// secure waits for the target's word and continues in TLS.
func (v *veNCrypt) secure() error {
	ack, err := v.s.in.Uint8()
	if err != nil {
		return streamError("waiting for TLS", err)
	}
	if ack != 1 {
		return fmt.Errorf("vncclient: the target could not begin TLS: %w", desktop.ErrSecurity)
	}
	cfg, err := v.s.cfg.TLS.ClientConfig(v.s.conn.remoteHost())
	if err != nil {
		return err
	}
	if err := v.s.conn.upgrade(cfg); err != nil {
		return trust.Error(err)
	}
	return nil
}

// plain sends username and password, inside TLS.
func (v *veNCrypt) plain() error {
	user, password := v.s.cfg.Username, string(v.s.cfg.Password)
	if len(user) > maxPlainBytes || len(password) > maxPlainBytes {
		return fmt.Errorf("vncclient: username or password exceeds %d bytes: %w", maxPlainBytes, desktop.ErrAuth)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(user)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(password)))
	b = append(append(b, user...), password...)
	_, err := v.s.conn.Write(b)
	return err
}
