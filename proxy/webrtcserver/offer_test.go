package webrtcserver

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// goodOffer is what Chromium 143 offers for one recvonly video and a data channel, cut to two codecs.
const goodOffer = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 103 104 109 114\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n" +
	"a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlVi\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 75:74:5A:A6:A4:E5:52:F4:A7:67:4C:01:C7:EE:91:3F:21:3D:A2:E3:53:7B:6F:30:86:F2:30:AA:65:FB:04:24\r\n" +
	"a=setup:actpass\r\na=mid:0\r\na=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n" +
	"a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n" +
	"a=rtpmap:103 H264/90000\r\na=rtcp-fb:103 transport-cc\r\na=rtcp-fb:103 ccm fir\r\na=rtcp-fb:103 nack\r\na=rtcp-fb:103 nack pli\r\n" +
	"a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n" +
	"a=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n" +
	"a=rtpmap:109 H264/90000\r\na=rtcp-fb:109 nack\r\na=rtcp-fb:109 nack pli\r\n" +
	"a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n" +
	"a=rtpmap:114 rtx/90000\r\na=fmtp:114 apt=109\r\n" +
	"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n" +
	"a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlVi\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 75:74:5A:A6:A4:E5:52:F4:A7:67:4C:01:C7:EE:91:3F:21:3D:A2:E3:53:7B:6F:30:86:F2:30:AA:65:FB:04:24\r\n" +
	"a=setup:actpass\r\na=mid:1\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"

func without(prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(goodOffer) {
		if !strings.HasPrefix(line, prefix) {
			b.WriteString(line)
		}
	}
	return b.String()
}

var badOffers = []struct{ what, sdp, why string }{
	{"nothing", "", "0 video sections"},
	{"no SDP", "<html>", "not SDP"},
	{"JSON", `{"type":"offer"}`, "not SDP"},
	{"too large", goodOffer + strings.Repeat("a=x\r\n", MaxOfferBytes/5), "exceed 65536"},
	{"cut off", goodOffer[:40], "0 video sections"},
	{"no video", goodOffer[:strings.Index(goodOffer, "m=video")], "0 video sections"},
	{"two videos", goodOffer + goodOffer[strings.Index(goodOffer, "m=video"):strings.Index(goodOffer, "m=application")], "2 video sections"},
	{"too many sections", goodOffer + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:9\r\n", 8), "10 media sections exceed 8"},
	{"no H.264", strings.ReplaceAll(goodOffer, "H264", "VP9"), "no H.264"},
	{"only packetization mode 0", strings.ReplaceAll(goodOffer, "packetization-mode=1", "packetization-mode=0"), "packetization-mode=1"},
	{"unknown profile", strings.ReplaceAll(strings.ReplaceAll(goodOffer, "42001f", "f4001f"), "42e01f", "58001f"), "packetization-mode=1"},
	{"no format parameters", without("a=fmtp"), "packetization-mode=1"},
	{"sends", strings.ReplaceAll(goodOffer, "a=recvonly", "a=sendonly"), "sendonly"},
	{"inactive", strings.ReplaceAll(goodOffer, "a=recvonly", "a=inactive"), "inactive"},
	{"declined", strings.ReplaceAll(goodOffer, "m=video 9", "m=video 0"), "port 0"},
	{"no ICE user", without("a=ice-ufrag"), "no ice-ufrag"},
	{"no ICE password", without("a=ice-pwd"), "no ice-pwd"},
	{"no fingerprint", without("a=fingerprint"), "no fingerprint"},
	{"no mid", without("a=mid"), "without mid"},
	{"too many candidates", goodOffer + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 65), "65 candidates"},
	{"malformed fingerprint", strings.ReplaceAll(goodOffer, "sha-256 75:74", "sha-256"), ""},
	{"malformed candidate", goodOffer + "a=candidate:nonsense\r\n", ""},
}

func TestBadOffers(t *testing.T) {
	s := newSession(t)
	for _, c := range badOffers {
		t.Run(c.what, func(t *testing.T) {
			_, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: c.sdp})
			require.ErrorIs(t, err, ErrOffer)
			require.ErrorContains(t, err, c.why)
		})
	}
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.viewers) == 0 },
		patience, 10*time.Millisecond, "refused offers leave nothing behind")
	_, err := s.Offer(t.Context(), Offer{Person: alice, Role: "admin", SDP: goodOffer})
	require.ErrorContains(t, err, "admin")
}

func TestGoodOffers(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct{ what, sdp string }{
		{"Chromium's", goodOffer},
		{"LF line ends", strings.ReplaceAll(goodOffer, "\r\n", "\n")},
		{"video only", goodOffer[:strings.Index(goodOffer, "m=application")]},
		{"sendrecv", strings.ReplaceAll(goodOffer, "a=recvonly", "a=sendrecv")},
		{"main profile only", strings.ReplaceAll(strings.ReplaceAll(goodOffer, "42001f", "4d001f"), "42e01f", "640c1f")},
		{"no retransmission, no extensions", func() string {
			sdp := strings.ReplaceAll(goodOffer, "rtx/90000", "red/90000")
			return strings.ReplaceAll(sdp, "a=extmap", "a=x-extmap")
		}()},
	} {
		answer, err := s.Offer(t.Context(), Offer{Person: alice, Role: RoleView, SDP: c.sdp})
		require.NoError(t, err, c.what)
		require.Contains(t, answer.SDP, "H264/90000", c.what)
		require.NoError(t, s.CloseViewer(answer.ViewerID, "enough"))
	}
}

var fragments = []struct {
	what, fragment string
	n              int // candidates, -1 when refused
}{
	{"nothing", "", 0},
	{"credentials only", "a=ice-ufrag:x\r\na=ice-pwd:y\r\n", 0},
	{"one", "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host generation 0\r\n", 1},
	{"name", "a=candidate:1 1 udp 2113937151 0b5e5bd0-6b1c-4a10-9b0e-7e6f2d1c1a11.local 51472 typ host\n", 1},
	{"no attribute", "hello", -1},
	{"few fields", "a=candidate:1 1 udp", -1},
	{"large port", "a=candidate:1 1 udp 1 192.0.2.1 65536 typ host", -1},
	{"no type", "a=candidate:1 1 udp 1 192.0.2.1 5000 host typ", -1},
	{"too many", strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\n", 65), -1},
	{"too large", strings.Repeat("a=x\n", MaxFragmentBytes/4+1), -1},
}

func TestParseFragment(t *testing.T) {
	for _, c := range fragments {
		candidates, err := parseFragment(c.fragment)
		if c.n < 0 {
			require.ErrorIs(t, err, ErrFragment, c.what)
			continue
		}
		require.NoError(t, err, c.what)
		require.Len(t, candidates, c.n, c.what)
	}
}

func FuzzParseFragment(f *testing.F) {
	for _, c := range fragments {
		f.Add(c.fragment)
	}
	f.Fuzz(func(t *testing.T, fragment string) {
		candidates, err := parseFragment(fragment)
		if err != nil && !errors.Is(err, ErrFragment) {
			t.Errorf("untyped error %v", err)
		}
		if len(candidates) > maxRemoteCandidates {
			t.Errorf("%d candidates", len(candidates))
		}
	})
}

// An offer is refused with a typed error or answered; it never panics, here or in pion.
func FuzzOffer(f *testing.F) {
	f.Add(goodOffer)
	for _, c := range badOffers {
		if len(c.sdp) < 8<<10 {
			f.Add(c.sdp)
		}
	}
	network, err := newFixedNet(net.IPv4(127, 0, 0, 1))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, offer string) {
		if err := checkOffer(offer); err != nil {
			if !errors.Is(err, ErrOffer) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		media, err := newMediaEngine()
		require.NoError(t, err)
		var settings webrtc.SettingEngine
		settings.SetLite(true)
		settings.SetNet(network)
		pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings)).
			NewPeerConnection(webrtc.Configuration{})
		require.NoError(t, err)
		defer func() { require.NoError(t, pc.GracefulClose()) }()
		_, err = pc.AddTransceiverFromTrack(newTrack(func() int { return 0 }),
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
		if pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}) != nil {
			return
		}
		answer, err := pc.CreateAnswer(nil)
		if err == nil {
			_ = pc.SetLocalDescription(answer)
		}
	})
}
