package credssp

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/credssp/internal/der"
)

// goodServer returns what a good server says to a good client.
func goodServer(t testing.TB) (challenge, proof TSRequest) {
	t.Helper()
	messages, cerr, serr := run(t, NewClient(clientConfig()), NewServer(serverConfig()))
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	challenge, err1 := DecodeTSRequest(messages[1])
	proof, err2 := DecodeTSRequest(messages[3])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return challenge, proof
}

// TestHostileServers is what a client must survive, ending with the right sentinel and its credentials unsent.
func TestHostileServers(t *testing.T) {
	challenge, proof := goodServer(t)
	with := func(m TSRequest, change func(*TSRequest)) []byte {
		change(&m)
		return m.Append(nil)
	}
	first := challenge.Append(nil)
	twoTokens := der.Element(der.Sequence, der.Int(der.Context(0), 6), der.Wrap(der.Context(1), der.Sequence,
		der.Element(der.Sequence, der.Wrap(der.Context(0), der.OctetString, challenge.NegoToken)),
		der.Element(der.Sequence, der.Wrap(der.Context(0), der.OctetString, challenge.NegoToken))))
	for name, c := range map[string]struct {
		said [][]byte
		want error
	}{
		"nothing":               {nil, desktop.ErrTargetGone},
		"not ASN.1":             {[][]byte{[]byte("HTTP/1.1 400")}, desktop.ErrProtocol},
		"cut":                   {[][]byte{first[:len(first)-1]}, desktop.ErrTargetGone},
		"indefinite length":     {[][]byte{{0x30, 0x80, 0, 0}}, desktop.ErrProtocol},
		"4 GiB":                 {[][]byte{{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}}, desktop.ErrProtocol},
		"over the cap":          {[][]byte{{0x30, 0x83, 0x01, 0x00, 0x01}}, desktop.ErrProtocol},
		"empty":                 {[][]byte{{0x30, 0}}, desktop.ErrProtocol},
		"left over":             {[][]byte{der.Element(der.Sequence, der.Int(der.Context(0), 6), der.Int(der.Context(9), 1))}, desktop.ErrProtocol},
		"two tokens":            {[][]byte{twoTokens}, desktop.ErrProtocol},
		"version 1":             {[][]byte{with(challenge, func(m *TSRequest) { m.Version = 1 })}, desktop.ErrSecurity},
		"negative version":      {[][]byte{with(challenge, func(m *TSRequest) { m.Version = -6 })}, desktop.ErrProtocol},
		"no token":              {[][]byte{with(challenge, func(m *TSRequest) { m.NegoToken = nil })}, desktop.ErrProtocol},
		"proof too early":       {[][]byte{with(challenge, func(m *TSRequest) { m.PubKeyAuth = []byte("x") })}, desktop.ErrProtocol},
		"a short nonce":         {[][]byte{with(challenge, func(m *TSRequest) { m.ClientNonce = []byte("x") })}, desktop.ErrProtocol},
		"token cut":             {[][]byte{with(challenge, func(m *TSRequest) { m.NegoToken = m.NegoToken[:50] })}, desktop.ErrProtocol},
		"weak NTLM":             {[][]byte{with(challenge, func(m *TSRequest) { m.NegoToken = slices.Clone(m.NegoToken); m.NegoToken[23] = 0 })}, desktop.ErrSecurity},
		"code at once":          {[][]byte{TSRequest{Version: 6, ErrorCode: 0xc0000234}.Append(nil)}, desktop.ErrAuth},
		"hangs up on proof":     {[][]byte{first}, desktop.ErrAuth},
		"code on proof":         {[][]byte{first, TSRequest{Version: 6, ErrorCode: 0xc0000071}.Append(nil)}, desktop.ErrAuth},
		"no proof":              {[][]byte{first, TSRequest{Version: 6}.Append(nil)}, desktop.ErrProtocol},
		"empty proof":           {[][]byte{first, TSRequest{Version: 6, PubKeyAuth: []byte{}}.Append(nil)}, desktop.ErrCertificate},
		"altered proof":         {[][]byte{first, with(proof, func(m *TSRequest) { m.PubKeyAuth = slices.Clone(m.PubKeyAuth); m.PubKeyAuth[20]++ })}, desktop.ErrCertificate},
		"version falls":         {[][]byte{first, with(proof, func(m *TSRequest) { m.Version = 4 })}, desktop.ErrProtocol},
		"proof of another size": {[][]byte{first, with(proof, func(m *TSRequest) { m.PubKeyAuth = m.PubKeyAuth[:17] })}, desktop.ErrCertificate},
		"challenge twice":       {[][]byte{first, first}, desktop.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &recorded{Reader: bytes.NewReader(slices.Concat(c.said...))}
			if err := NewClient(clientConfig()).Authenticate(conn); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			checkNothingLeft(t, split(t, conn.wrote))
		})
	}
	t.Run("the good one", func(t *testing.T) {
		conn := &recorded{Reader: bytes.NewReader(slices.Concat(first, proof.Append(nil)))}
		if err := NewClient(clientConfig()).Authenticate(conn); err != nil {
			t.Fatal(err)
		}
		if sent := split(t, conn.wrote); len(sent) != 3 {
			t.Errorf("%d messages", len(sent))
		}
	})
}

// split returns the messages of a stream.
func split(t testing.TB, stream []byte) (messages [][]byte) {
	t.Helper()
	r := bytes.NewReader(stream)
	for {
		m, err := readTSRequest(r)
		if errors.Is(err, io.EOF) {
			return messages
		}
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
}

// TestHostileClients is what a server must survive without calling anybody authenticated.
func TestHostileClients(t *testing.T) {
	messages, cerr, serr := run(t, NewClient(clientConfig()), NewServer(serverConfig()))
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	var m [3]TSRequest // what the client says
	for i := range m {
		var err error
		if m[i], err = DecodeTSRequest(messages[2*i]); err != nil {
			t.Fatal(err)
		}
	}
	with := func(m TSRequest, change func(*TSRequest)) TSRequest {
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		says []TSRequest
		want error
	}{
		"proof first":      {[]TSRequest{{Version: 6, PubKeyAuth: []byte("x"), ClientNonce: make([]byte, 32)}}, desktop.ErrProtocol},
		"credentials":      {[]TSRequest{{Version: 6, AuthInfo: []byte("x")}}, desktop.ErrProtocol},
		"version 1":        {[]TSRequest{with(m[0], func(m *TSRequest) { m.Version = 1 })}, desktop.ErrProtocol},
		"no mechanism":     {[]TSRequest{with(m[0], func(m *TSRequest) { m.NegoToken = []byte("x") })}, desktop.ErrProtocol},
		"no proof":         {[]TSRequest{m[0], with(m[1], func(m *TSRequest) { m.PubKeyAuth = nil })}, desktop.ErrProtocol},
		"no nonce":         {[]TSRequest{m[0], with(m[1], func(m *TSRequest) { m.ClientNonce = nil })}, desktop.ErrProtocol},
		"another nonce":    {[]TSRequest{m[0], with(m[1], func(m *TSRequest) { m.ClientNonce = make([]byte, 32) })}, desktop.ErrCertificate},
		"version falls":    {[]TSRequest{m[0], with(m[1], func(m *TSRequest) { m.Version = 4 })}, desktop.ErrProtocol},
		"no credentials":   {[]TSRequest{m[0], m[1], {Version: 6}}, desktop.ErrProtocol},
		"altered at last":  {[]TSRequest{m[0], m[1], with(m[2], func(m *TSRequest) { m.AuthInfo = slices.Clone(m.AuthInfo); m.AuthInfo[30]++ })}, desktop.ErrAuth},
		"one message more": {[]TSRequest{m[0], m[1], m[2], m[2]}, errState},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(serverConfig())
			for i, says := range c.says {
				_, done, err := s.Step(says.Append(nil))
				if last := i == len(c.says)-1; last != (err != nil) || last && !errors.Is(err, c.want) || last && done {
					t.Fatalf("message %d: done %v, %v", i, done, err)
				}
			}
			if name != "one message more" && s.Credentials() != (Credentials{}) {
				t.Error("credentials came")
			}
		})
	}
}

func TestStepOutOfTurn(t *testing.T) {
	c, s := NewClient(clientConfig()), NewServer(serverConfig())
	if s.Identity() != (Identity{}) {
		t.Error("somebody is known before the beginning")
	}
	if _, cerr, serr := run(t, c, s); cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	if _, _, err := c.Step(nil); !errors.Is(err, errState) {
		t.Errorf("%v", err)
	}
}
