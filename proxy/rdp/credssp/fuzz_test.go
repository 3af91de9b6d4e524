package credssp

import (
	"bytes"
	"os"
	"reflect"
	"testing"
)

// shadowSaid is what FreeRDP's server, version 2.11, has said to this client of version 6 (its name changed), one message
// behind the other.
func shadowSaid(f *testing.F) [][]byte {
	b, err := os.ReadFile("testdata/freerdp-shadow.bin")
	if err != nil {
		f.Fatal(err)
	}
	return split(f, b)
}

// FuzzTSRequest decodes one message.
func FuzzTSRequest(f *testing.F) {
	messages, cerr, serr := run(f, NewClient(clientConfig()), NewServer(serverConfig()))
	if cerr != nil || serr != nil {
		f.Fatal(cerr, serr)
	}
	for _, b := range append(messages, shadowSaid(f)...) {
		f.Add(b)
	}
	f.Add(TSRequest{Version: 6, ErrorCode: 0xc000006d}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeTSRequest(b)
		if err != nil {
			return
		}
		if again, err := DecodeTSRequest(m.Append(nil)); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v: %v", m, again, err)
		}
	})
}

// FuzzTSCredentials decodes credentials.
func FuzzTSCredentials(f *testing.F) {
	f.Add(clientConfig().Append(nil))
	f.Add(Credentials{}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeTSCredentials(b)
		if err != nil {
			return
		}
		if again, err := DecodeTSCredentials(c.Append(nil)); err != nil || again != c {
			t.Fatalf("not the same again: %v", err)
		}
	})
}

// FuzzEarlyUserAuthResult decodes that PDU, and what may come instead.
func FuzzEarlyUserAuthResult(f *testing.F) {
	f.Add(AuthzAccessDenied.Append(nil))
	f.Add(TSRequest{Version: 6, ErrorCode: 0xc000015b}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeEarlyUserAuthResult(b)
		if err == nil && !bytes.Equal(v.Append(nil), b) {
			t.Fatalf("%v is not % x", v, b)
		}
		if rerr := ReadEarlyUserAuthResult(bytes.NewReader(b)); rerr == nil && !bytes.HasPrefix(b, AuthzSuccess.Append(nil)) {
			t.Fatalf("% x is success", b)
		}
	})
}

// FuzzClient gives a client a whole stream of a server. It must end with an error that has a sentinel, or with the one
// good answer; it never sends credentials otherwise.
func FuzzClient(f *testing.F) {
	challenge, proof := goodServer(f)
	good := append(challenge.Append(nil), proof.Append(nil)...)
	f.Add(good)
	f.Add(bytes.Join(shadowSaid(f), nil))
	f.Fuzz(func(t *testing.T, said []byte) {
		conn := &recorded{Reader: bytes.NewReader(said)}
		err := NewClient(clientConfig()).Authenticate(conn)
		if err == nil {
			return // lengths may be written in other ways
		}
		checkNothingLeft(t, split(t, conn.wrote))
		if !hasSentinel(err) {
			t.Fatalf("without a sentinel: %v", err)
		}
	})
}

// FuzzServer gives a server a whole stream of a client.
func FuzzServer(f *testing.F) {
	messages, cerr, serr := run(f, NewClient(clientConfig()), NewServer(serverConfig()))
	if cerr != nil || serr != nil {
		f.Fatal(cerr, serr)
	}
	f.Add(bytes.Join([][]byte{messages[0], messages[2], messages[4]}, nil))
	f.Fuzz(func(t *testing.T, said []byte) {
		s := NewServer(serverConfig())
		err := s.Authenticate(&recorded{Reader: bytes.NewReader(said)})
		if err == nil && s.Credentials() != clientConfig().Credentials {
			t.Fatal("credentials that nobody sent")
		}
		if err != nil && !hasSentinel(err) {
			t.Fatalf("without a sentinel: %v", err)
		}
	})
}
