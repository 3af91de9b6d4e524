package webrtcserver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// profiles are the H.264 profiles a viewer may offer, best first. The encoder makes constrained baseline, which
// decoders of all of them read. Levels are the receiver's to state and, with level-asymmetry-allowed, no bound on
// what browsers decode in fact ([RFC 6184] 8.1).
var profiles = []string{"42e01f", "42c01f", "42001f", "4d001f", "4d401f", "640c1f", "64001f"}

// checkOffer refuses an offer we could not answer, saying why, before pion sees it.
func checkOffer(offer string) error {
	if len(offer) > MaxOfferBytes {
		return fmt.Errorf("%w: %d bytes exceed %d", ErrOffer, len(offer), MaxOfferBytes)
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(offer); err != nil {
		return fmt.Errorf("%w: not SDP", ErrOffer) // the parser's error quotes the line
	}
	if n := len(desc.MediaDescriptions); n > maxSections {
		return fmt.Errorf("%w: %d media sections exceed %d", ErrOffer, n, maxSections)
	}
	candidates, videos := 0, 0
	for _, m := range desc.MediaDescriptions {
		for _, a := range m.Attributes {
			if a.IsICECandidate() {
				candidates++
				if err := checkCandidate(a.Value); err != nil {
					return fmt.Errorf("%w: %w", ErrOffer, err)
				}
			}
		}
		if _, ok := m.Attribute("mid"); !ok {
			return fmt.Errorf("%w: a %s section without mid", ErrOffer, mediaName(m))
		}
		if m.MediaName.Media != "video" {
			continue
		}
		videos++
		if err := checkVideo(m); err != nil {
			return fmt.Errorf("%w: %w", ErrOffer, err)
		}
	}
	if videos != 1 {
		return fmt.Errorf("%w: %d video sections, need 1", ErrOffer, videos)
	}
	if candidates > maxRemoteCandidates {
		return fmt.Errorf("%w: %d candidates exceed %d", ErrOffer, candidates, maxRemoteCandidates)
	}
	for _, name := range []string{"ice-ufrag", "ice-pwd", "fingerprint"} {
		if !hasAttribute(&desc, name) {
			return fmt.Errorf("%w: no %s", ErrOffer, name)
		}
	}
	return nil
}

// mediaName is the kind of a section if it is one that errors may repeat.
func mediaName(m *sdp.MediaDescription) string {
	if slices.Contains([]string{"audio", "video", "application"}, m.MediaName.Media) {
		return m.MediaName.Media
	}
	return "media"
}

func checkVideo(m *sdp.MediaDescription) error {
	if m.MediaName.Port.Value == 0 {
		if _, bundled := m.Attribute("bundle-only"); !bundled {
			return errors.New("the video section is declined (port 0)")
		}
	}
	for _, direction := range []string{"sendonly", "inactive"} {
		if _, ok := m.Attribute(direction); ok {
			return fmt.Errorf("the video section is %s, need recvonly", direction)
		}
	}
	var h264 []string // payload types
	for _, a := range m.Attributes {
		if pt, codec, ok := strings.Cut(a.Value, " "); a.Key == "rtpmap" && ok && strings.EqualFold(codec, "H264/90000") {
			h264 = append(h264, pt)
		}
	}
	if len(h264) == 0 {
		return errors.New("no H.264 among the video codecs")
	}
	for _, a := range m.Attributes {
		pt, line, ok := strings.Cut(a.Value, " ")
		if a.Key == "fmtp" && ok && slices.Contains(h264, pt) && usable(line) {
			return nil
		}
	}
	return errors.New("no H.264 with packetization-mode=1 and a baseline, main or high profile")
}

// usable reports whether one of our codecs has the format parameters of line.
func usable(line string) bool { return preference(line) < len(profiles) }

// preference is the index in profiles of what the format parameters of line say, len(profiles) when we have
// nothing for them. As in pion, the profile and its constraints must be equal, the level need not.
func preference(line string) int {
	mode, profile := "", ""
	for param := range strings.SplitSeq(line, ";") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(param), "="); strings.ToLower(name) {
		case "packetization-mode":
			mode = value
		case "profile-level-id":
			profile = strings.ToLower(value)
		}
	}
	if mode == "1" && len(profile) == 6 {
		i := slices.IndexFunc(profiles, func(p string) bool { return p[:4] == profile[:4] })
		if i >= 0 {
			return i
		}
	}
	return len(profiles)
}

// hasAttribute reports whether the session or the first section has the attribute.
func hasAttribute(desc *sdp.SessionDescription, name string) bool {
	if _, ok := desc.Attribute(name); ok {
		return true
	}
	return slices.ContainsFunc(desc.MediaDescriptions, func(m *sdp.MediaDescription) bool {
		_, ok := m.Attribute(name)
		return ok
	})
}

// parseFragment returns the candidates of a trickled SDP fragment ([RFC 8840] 9), which is SDP's attribute
// lines without its mandatory ones. Names under .local stay: pion ignores them, for resolving them would need
// a multicast socket, and an ICE-lite agent learns the browser's address from its checks anyway.
func parseFragment(fragment string) ([]webrtc.ICECandidateInit, error) {
	if len(fragment) > MaxFragmentBytes {
		return nil, fmt.Errorf("%w: %d bytes exceed %d", ErrFragment, len(fragment), MaxFragmentBytes)
	}
	var candidates []webrtc.ICECandidateInit
	var mid *string
	for line := range strings.SplitSeq(fragment, "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case line == "":
		case len(line) < 2 || line[1] != '=':
			return nil, fmt.Errorf("%w: a line that is no attribute", ErrFragment)
		case strings.HasPrefix(line, "a=mid:"):
			value := line[len("a=mid:"):]
			mid = &value
		case strings.HasPrefix(line, "a=candidate:"):
			if len(candidates) == maxRemoteCandidates {
				return nil, fmt.Errorf("%w: more than %d candidates", ErrFragment, maxRemoteCandidates)
			}
			if err := checkCandidate(line[len("a=candidate:"):]); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFragment, err)
			}
			candidates = append(candidates, webrtc.ICECandidateInit{Candidate: line[len("a="):], SDPMid: mid})
		}
	}
	return candidates, nil
}

// checkCandidate looks at the fixed fields of a candidate ([RFC 8839] 5.1): foundation, component, transport,
// priority, address, port, "typ", type.
func checkCandidate(s string) error {
	fields := strings.Fields(s)
	if len(fields) < 8 || fields[6] != "typ" {
		return fmt.Errorf("a candidate of %d fields, need at least 8", len(fields))
	}
	for i, bits := range map[int]int{1: 16, 3: 32, 5: 16} {
		if _, err := strconv.ParseUint(fields[i], 10, bits); err != nil {
			return fmt.Errorf("field %d of a candidate is no number of %d bits", i+1, bits)
		}
	}
	return nil
}
