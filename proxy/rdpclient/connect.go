package rdpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
	"github.com/vitrine-psm/vitrine/proxy/rdp/license"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
	"github.com/vitrine-psm/vitrine/proxy/trust"
)

// connect performs the handshake up to licensing ([MS-RDPBCGR] 1.3.1.1, the first six phases); what follows comes as any
// other PDU. It writes to the connection itself: the outbox begins after it.
func (s *session) connect(ctx context.Context) error {
	s.due = time.Now().Add(s.cfg.HandshakeTimeout)
	if err := s.raw.SetDeadline(s.due); err != nil {
		return streamError("setting the deadline of the handshake", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := s.handshake()
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.raw.SetDeadline(time.Time{}); err != nil {
		return streamError("ending the deadline of the handshake", err)
	}
	return nil
}

func (s *session) handshake() error {
	for _, phase := range []func() error{s.negotiate, s.secure, s.settings, s.joinChannels, s.clientInfo, s.license} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

// tpktVersion is the first byte of every PDU of the handshake ([T.123] 8).
const tpktVersion = 3

// negotiate agrees on a security protocol ([MS-RDPBCGR] 3.2.5.3.1, 3.2.5.3.2).
func (s *session) negotiate() error {
	request := rdp.ConnectionRequest{Negotiable: true, Protocols: s.cfg.Security.protocols(), RoutingToken: s.cfg.LoadBalanceInfo}
	if r := s.kept.redirect; r != nil && len(r.LoadBalanceInfo) > 0 {
		request.RoutingToken = bytes.TrimRight(r.LoadBalanceInfo, "\r\n")
	}
	if n := len(request.RoutingToken); n > rdp.MaxRoutingToken {
		return protocolError("load balance info of %d bytes exceeds %d", n, rdp.MaxRoutingToken)
	}
	if s.cfg.RestrictedAdmin {
		request.Flags |= rdp.RestrictedAdminRequired
	}
	if err := s.send1(func(b []byte) []byte { return rdp.AppendTPKT(b, request.Append) }); err != nil {
		return streamError("asking for a connection", err)
	}
	// Looked at alone, because what else may be there (an H of HTTP) would be taken for a PDU whose rest is still to come.
	var first [1]byte
	if _, err := io.ReadFull(s.raw, first[:]); err != nil {
		return s.early("waiting for the answer to the connection request", err)
	}
	if first[0] != tpktVersion {
		return fmt.Errorf("rdpclient: %w: it answered with something else", desktop.ErrWrongProtocol)
	}
	frames := rdp.NewFrameReader(io.MultiReader(bytes.NewReader(first[:]), s.raw))
	frame, err := frames.Next()
	if err != nil {
		if errors.Is(err, wire.ErrMalformed) {
			return fmt.Errorf("rdpclient: %w: it answered with something else", desktop.ErrWrongProtocol)
		}
		return streamError("waiting for the answer to the connection request", err)
	}
	var confirm rdp.ConnectionConfirm
	if confirm.Decode(frame.Payload) != nil {
		return fmt.Errorf("rdpclient: %w: its answer is not a connection confirm", desktop.ErrWrongProtocol)
	}
	if n := frames.Buffered(); n > 0 {
		return protocolError("%d bytes in clear text before TLS", n)
	}
	return s.choose(request.Protocols, confirm)
}

// choose checks what the target selected.
func (s *session) choose(asked rdp.Protocol, confirm rdp.ConnectionConfirm) error {
	switch {
	case confirm.Failure == rdp.FailureTLSNotAllowed, !confirm.Negotiated,
		confirm.Failure == 0 && confirm.Protocol == rdp.ProtocolRDP:
		return securityError("the target speaks standard RDP security only, which protects nothing; enable TLS or network level authentication on it")
	case confirm.Failure == rdp.FailureHybridRequired:
		return securityError("the target requires network level authentication, which is switched off for it here")
	case confirm.Failure == rdp.FailureTLSRequired && s.cfg.Security == SecurityNLA:
		return securityError("the target does not offer network level authentication, which is required here")
	case confirm.Failure != 0:
		return securityError("the target refused the connection: %s", confirm.Failure)
	case confirm.Protocol&asked == 0 || confirm.Protocol&(confirm.Protocol-1) != 0:
		if s.cfg.Security == SecurityNLA {
			return securityError("the target does not offer network level authentication, which is required here")
		}
		return protocolError("the target selected security protocol %#x of %#x", uint32(confirm.Protocol), uint32(asked))
	case s.cfg.RestrictedAdmin && confirm.Flags&rdp.RestrictedAdminSupported == 0:
		return securityError("the target does not take restricted admin mode")
	}
	s.protocol = confirm.Protocol
	return nil
}

// secure continues in TLS, and signs in where network level authentication was agreed on.
func (s *session) secure() error {
	policy := s.kept.policy
	report := policy.OnFirstUse
	policy.OnFirstUse = func(f trust.Fingerprint) {
		s.kept.policy.Fingerprint = f // a reconnection must meet the same target
		if report != nil {
			report(f)
		}
	}
	cfg, err := policy.ClientConfig(remoteHost(s.raw))
	if err != nil {
		return err
	}
	t := tls.Client(s.raw, cfg)
	if err := t.Handshake(); err != nil {
		return trust.Error(err)
	}
	s.transport = t
	if s.protocol&(rdp.ProtocolHybrid|rdp.ProtocolHybridEx) != 0 {
		if err := s.authenticate(t, cfg.ServerName); err != nil {
			return err
		}
	}
	s.frames = rdp.NewFrameReader(t)
	return nil
}

// remoteHost returns the address dialled, without the port.
func remoteHost(c net.Conn) string {
	if c.RemoteAddr() == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// send1 writes one PDU of the handshake.
func (s *session) send1(encode func(b []byte) []byte) error {
	b := encode(nil)
	defer clear(b)
	_, err := s.transport.Write(b)
	return err
}

// sendDomain writes one MCS PDU of the handshake.
func (s *session) sendDomain(p rdp.DomainPDU) error {
	return s.send1(func(b []byte) []byte { return rdp.AppendX224Data(b, p.Append) })
}

// payload reads the next PDU of the handshake, behind its X.224 header.
func (s *session) payload() ([]byte, error) {
	frame, err := s.frames.Next()
	if err != nil {
		return nil, err
	}
	if frame.FastPath {
		return nil, protocolError("a fast-path PDU in the handshake")
	}
	return rdp.DecodeX224Data(frame.Payload)
}

// domain reads the next MCS PDU of the handshake, which must be of a kind.
func (s *session) domain(kind rdp.MCS) (rdp.DomainPDU, error) {
	var p rdp.DomainPDU
	payload, err := s.payload()
	if err == nil {
		err = p.Decode(payload)
	}
	switch {
	case err != nil:
		return p, err
	case p.Kind == rdp.MCSDisconnectProviderUltimatum:
		return p, rdp.ErrDisconnected
	case p.Kind != kind:
		return p, protocolError("domain PDU of kind %d, want %d", p.Kind, kind)
	case p.Result != 0:
		return p, protocolError("domain PDU of kind %d has result %d", p.Kind, p.Result)
	}
	return p, nil
}

// settings exchanges the settings blocks ([MS-RDPBCGR] 3.2.5.3.3, 3.2.5.3.4).
func (s *session) settings() error {
	settings := s.clientSettings()
	err := s.send1(func(b []byte) []byte {
		return rdp.AppendX224Data(b, func(b []byte) []byte { return rdp.AppendConnectInitial(b, settings.Append) })
	})
	if err != nil {
		return s.early("sending the settings", err)
	}
	payload, err := s.payload()
	if err != nil {
		return s.early("waiting for the target's settings", err)
	}
	blocks, err := rdp.DecodeConnectResponse(payload)
	if err != nil {
		return streamError("reading the target's settings", err)
	}
	var server rdp.ServerSettings
	if err := server.Decode(blocks); err != nil {
		return streamError("reading the target's settings", err)
	}
	switch {
	case server.HasRequested && server.RequestedProtocols != s.cfg.Security.protocols():
		return securityError("the target was asked for security %#x and saw %#x: somebody between changed the request",
			uint32(s.cfg.Security.protocols()), uint32(server.RequestedProtocols))
	case server.EncryptionMethod != 0:
		return securityError("the target wants standard RDP encryption within TLS (method %#x)", server.EncryptionMethod)
	case server.IOChannel == 0:
		return protocolError("the target's settings name no I/O channel")
	}
	s.ioChannel, s.msgChannel = server.IOChannel, server.MessageChannel
	return s.channels.assign(server)
}

// early words an error between security and licensing, where targets just hang up on who may not sign in.
func (s *session) early(doing string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, rdp.ErrDisconnected) {
		err = errors.New("the connection was closed")
	}
	return streamError(doing, err)
}

func (s *session) clientSettings() rdp.ClientSettings {
	depth := uint16(min(s.cfg.ColorDepth, 24))
	early := uint16(rdp.SupportErrorInfo | rdp.SupportStatusInfo | rdp.StrongAsymmetricKeys | rdp.ValidConnectionType |
		rdp.SupportHeartbeat)
	if s.cfg.ColorDepth == 32 {
		early |= rdp.Want32BPPSession
	}
	if s.cfg.Graphics&GraphicsPipeline != 0 {
		early |= rdp.SupportDynVCGFX
	}
	settings := rdp.ClientSettings{
		Core: rdp.ClientCoreData{
			Version: rdp.Version107, Width: uint16(s.wished.X), Height: uint16(s.wished.Y), KeyboardLayout: s.cfg.KeyboardLayout,
			ClientBuild: 18363, ClientName: s.cfg.ClientName, HighColorDepth: depth,
			SupportedDepths:   rdp.Depth15 | rdp.Depth16 | rdp.Depth24 | rdp.Depth32,
			EarlyCapabilities: early, ConnectionType: rdp.ConnectionTypeLAN, SelectedProtocol: s.protocol, DesktopScaleFactor: 100,
		},
		Cluster: true, Channels: s.channels.defs(), MessageChannel: true,
	}
	if r := s.kept.redirect; r != nil {
		settings.RedirectedSession = r.SessionID
	}
	return settings
}

// joinChannels attaches a user and joins every channel ([MS-RDPBCGR] 1.3.1.1, channel connection).
func (s *session) joinChannels() error {
	for _, p := range []rdp.DomainPDU{{Kind: rdp.MCSErectDomainRequest}, {Kind: rdp.MCSAttachUserRequest}} {
		if err := s.sendDomain(p); err != nil {
			return s.early("attaching a user", err)
		}
	}
	attached, err := s.domain(rdp.MCSAttachUserConfirm)
	if err != nil {
		return s.early("attaching a user", err)
	}
	if s.user = attached.User; s.user == 0 {
		return protocolError("the target attached no user")
	}
	channels := []uint16{s.user, s.ioChannel}
	if s.msgChannel != 0 {
		channels = append(channels, s.msgChannel)
	}
	channels = append(channels, s.channels.ids()...)
	slices.Sort(channels)
	for _, channel := range slices.Compact(channels) {
		if err := s.sendDomain(rdp.DomainPDU{Kind: rdp.MCSChannelJoinRequest, User: s.user, Channel: channel}); err != nil {
			return s.early("joining channels", err)
		}
		joined, err := s.domain(rdp.MCSChannelJoinConfirm)
		if err != nil {
			return s.early("joining channels", err)
		}
		if joined.Channel != channel {
			return protocolError("channel %d joined, %d asked for", joined.Channel, channel)
		}
	}
	return nil
}

// clientInfo sends who signs in ([MS-RDPBCGR] 3.2.5.3.11), inside TLS.
func (s *session) clientInfo() error {
	info := rdp.ClientInfo{
		Flags: rdp.InfoMouse | rdp.InfoDisableCtrlAltDl | rdp.InfoMaximizeShell | rdp.InfoLogonNotify | rdp.InfoEnableWindowsKey |
			rdp.InfoLogonErrors | rdp.InfoMouseHasWheel | rdp.InfoNoAudioPlayback | rdp.InfoVideoDisable,
		Domain: s.cfg.Domain, Username: s.cfg.Username, Password: string(s.cfg.Password),
		PerformanceFlags: s.cfg.Performance,
	}
	if s.cfg.RestrictedAdmin {
		info.Password = ""
	}
	if r := s.kept.redirect; r != nil {
		if r.Username != "" {
			info.Username, info.Domain = r.Username, r.Domain
		}
		if len(r.Password) > 0 {
			info.Password = wire.UTF16(r.Password)
		}
	}
	if info.Username != "" && (info.Password != "" || s.cfg.RestrictedAdmin) {
		info.Flags |= rdp.InfoAutoLogon
	}
	if s.kept.cookie != nil {
		info.Reconnect = s.kept.cookie.Verifier()
	}
	err := s.send1(func(b []byte) []byte {
		return rdp.AppendChannelData(b, rdp.MCSSendDataRequest, s.user, s.ioChannel, info.Append)
	})
	if err != nil {
		return s.early("sending who signs in", err)
	}
	return nil
}

// license reads until the target is content ([MS-RDPBCGR] 3.2.5.3.12); what else comes before is answered as ever.
func (s *session) license() error {
	client := license.NewClient(license.Config{Username: s.cfg.Username, MachineName: s.cfg.ClientName})
	for range maxHandshakePDUs {
		p, err := s.domain(rdp.MCSSendDataIndication)
		if err != nil {
			return s.early("waiting for the licence", err)
		}
		if p.Channel != s.ioChannel {
			if p.Channel == s.msgChannel && s.msgChannel != 0 {
				err = s.message(p.Data)
			}
			if err != nil {
				return streamError("handling a message of the target", err)
			}
			continue
		}
		flags, body, err := rdp.DecodeSecurityHeader(p.Data)
		switch {
		case err != nil:
			return streamError("reading the licence", err)
		case flags&rdp.SecRedirection != 0:
			if err := redirection(body, false); err != nil {
				return err
			}
			continue
		case flags&rdp.SecLicensePacket == 0:
			return protocolError("a PDU with flags %#x where the licence is due", flags)
		}
		reply, done, err := client.Step(body)
		if err != nil {
			return streamError("licensing", err)
		}
		if len(reply) > 0 {
			err := s.send1(func(b []byte) []byte {
				return rdp.AppendChannelData(b, rdp.MCSSendDataRequest, s.user, s.ioChannel, func(b []byte) []byte {
					return append(rdp.AppendSecurityHeader(b, rdp.SecLicensePacket), reply...)
				})
			})
			if err != nil {
				return s.early("licensing", err)
			}
		}
		if done {
			return nil
		}
	}
	return protocolError("%d PDUs and no licence", maxHandshakePDUs)
}
