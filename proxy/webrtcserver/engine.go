package webrtcserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// playoutDelayURI names the RTP header extension that tells a browser how long to hold pictures back
// (https://webrtc.googlesource.com/src/+/main/docs/native-code/rtp-hdrext/playout-delay).
const playoutDelayURI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

// engine makes peer connections that share the session's sockets and certificate.
type engine struct {
	settings webrtc.SettingEngine
	config   webrtc.Configuration
	logs     logging.LoggerFactory
	udp      *ice.UDPMuxDefault
	tcp      *ice.TCPMuxDefault // nil without ICE-TCP
	rates    Rates
}

// iceTimes are limits.go's disconnectedAfter, failedAfter and keepalive; tests have less patience.
type iceTimes struct{ disconnected, failed, keepalive time.Duration }

// newEngine starts reading from the sockets, which close ends.
func newEngine(cfg *Config, network fixedNet, times iceTimes) (*engine, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webrtc: DTLS key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("webrtc: DTLS certificate: %w", err)
	}
	e := &engine{
		config: webrtc.Configuration{Certificates: []webrtc.Certificate{*certificate}},
		logs:   pionLogs{cfg.Logger},
		rates:  cfg.Rates,
	}
	s := &e.settings
	s.LoggerFactory = e.logs
	s.SetNet(network)
	s.SetLite(true)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.DisableActiveTCP(true)
	s.SetICETimeouts(times.disconnected, times.failed, times.keepalive)
	s.SetSCTPMaxMessageSize(maxMessageBytes)
	s.SetSCTPMinCwnd(sctpWindow)
	s.SetSCTPFastRtxWnd(sctpResend)
	if len(cfg.PublicAddresses) > 0 {
		rule := webrtc.ICEAddressRewriteRule{External: cfg.PublicAddresses, AsCandidateType: webrtc.ICECandidateTypeHost}
		if err := s.SetICEAddressRewriteRules(rule); err != nil {
			return nil, fmt.Errorf("webrtc: public addresses: %w", err)
		}
	}
	types := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if cfg.TCPListener != nil {
		types = append(types, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(types)

	growBuffers(cfg.Conn)
	e.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{
		UDPConn: cfg.Conn,
		Logger:  e.logs.NewLogger("udp_mux"),
		Net:     network,
	})
	s.SetICEUDPMux(e.udp)
	if cfg.TCPListener != nil {
		e.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener:        cfg.TCPListener,
			Logger:          e.logs.NewLogger("tcp_mux"),
			ReadBufferSize:  tcpReadPackets,
			WriteBufferSize: tcpWriteBuffer,
		})
		s.SetICETCPMux(e.tcp)
	}
	return e, nil
}

// close ends the sockets. All peer connections must be closed before.
func (e *engine) close() {
	_ = e.udp.Close()
	if e.tcp != nil {
		_ = e.tcp.Close()
	}
}

// newPeer makes a peer connection for one viewer, whose bandwidth is estimated by bwe.
func (e *engine) newPeer(bwe *estimator) (*webrtc.PeerConnection, error) {
	media, err := newMediaEngine()
	if err != nil {
		return nil, err
	}
	interceptors, err := e.newInterceptors(bwe)
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(e.settings), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(interceptors))
	pc, err := api.NewPeerConnection(e.config)
	if err != nil {
		return nil, fmt.Errorf("webrtc: peer connection: %w", err)
	}
	return pc, nil
}

// newMediaEngine knows H.264 with retransmission, and nothing else.
func newMediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for i, profile := range profiles {
		pt := webrtc.PayloadType(96 + 2*i) // ours; an answer uses the offer's numbers
		feedback := []webrtc.RTCPFeedback{
			{Type: webrtc.TypeRTCPFBNACK},
			{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
			{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
			{Type: webrtc.TypeRTCPFBTransportCC},
		}
		for _, codec := range []webrtc.RTPCodecParameters{{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType:     webrtc.MimeTypeH264,
				ClockRate:    clockRate,
				SDPFmtpLine:  "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile,
				RTCPFeedback: feedback,
			},
			PayloadType: pt,
		}, {
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType:    webrtc.MimeTypeRTX,
				ClockRate:   clockRate,
				SDPFmtpLine: fmt.Sprintf("apt=%d", pt),
			},
			PayloadType: pt + 1,
		}} {
			if err := m.RegisterCodec(codec, webrtc.RTPCodecTypeVideo); err != nil {
				return nil, fmt.Errorf("webrtc: register %s: %w", codec.MimeType, err)
			}
		}
	}
	for _, uri := range []string{sdp.SDESMidURI, sdp.TransportCCURI, playoutDelayURI} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(extension, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, fmt.Errorf("webrtc: register %s: %w", uri, err)
		}
	}
	return m, nil
}

// newInterceptors builds what every outgoing packet passes. The first added is the last passed: NACK responder,
// sender reports, transport-wide numbering, congestion control, SRTP. Retransmissions enter below the responder
// and so are numbered and counted like everything else.
func (e *engine) newInterceptors(bwe *estimator) (*interceptor.Registry, error) {
	congestion, err := cc.NewInterceptor(bwe.factory(e.rates, e.logs))
	if err != nil {
		return nil, fmt.Errorf("webrtc: congestion control: %w", err)
	}
	numbering, err := twcc.NewHeaderExtensionInterceptor()
	if err != nil {
		return nil, fmt.Errorf("webrtc: transport-wide numbering: %w", err)
	}
	reports, err := report.NewSenderInterceptor(report.SenderInterval(reportInterval),
		report.WithSenderLoggerFactory(e.logs))
	if err != nil {
		return nil, fmt.Errorf("webrtc: sender reports: %w", err)
	}
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(nackPackets),
		nack.WithResponderLoggerFactory(e.logs))
	if err != nil {
		return nil, fmt.Errorf("webrtc: NACK responder: %w", err)
	}
	r := &interceptor.Registry{}
	for _, f := range []interceptor.Factory{congestion, numbering, reports, responder} {
		r.Add(f)
	}
	return r, nil
}

// localIP is the address a socket is bound to.
func localIP(addr net.Addr) (net.IP, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("webrtc: socket address is a %T, need *net.UDPAddr", addr)
	}
	if v4 := udp.IP.To4(); v4 != nil {
		return v4, nil
	}
	return udp.IP, nil
}
