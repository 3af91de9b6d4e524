package rdp

import (
	"bytes"
	"io"
	"reflect"
	"testing"
	"testing/iotest"
)

// fuzz gives hostile bytes to the decoder of every type in types, chosen by the first argument, with the tables as seeds.
// It never panics; errors are of the kinds a decoder may give; what was decoded takes no more room than the bytes and the
// fixed parts of what we write around them; and what we write of it is read as what we write.
func fuzz(f *testing.F, types ...pdu) {
	for i, p := range types {
		for _, c := range allPDUs(f) {
			if reflect.TypeOf(c.pdu) == reflect.TypeOf(p) && len(c.bytes) < 4096 {
				f.Add(uint8(i), c.bytes)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		const most, fixed = 15000, 8192 // below caps that what we write around it could break
		if len(b) > most {
			return
		}
		p := fresh(types[int(which)%len(types)])
		if err := p.Decode(b); err != nil {
			if !allowed(err) {
				t.Fatal(err)
			}
			return
		}
		if n := len(p.Append(nil)); n > 4*len(b)+fixed {
			t.Fatalf("%d bytes became %d", len(b), n)
		}
		if c, ok := p.(*clientInfo); ok && !rewritable(c) {
			return
		}
		stable(t, p)
	})
}

// rewritable tells whether strings stay within their caps when ANSI becomes UTF-16 and terminators are added.
func rewritable(c *clientInfo) bool {
	for _, s := range []string{c.Domain, c.Username, c.Password, c.AlternateShell, c.WorkingDir} {
		if 2*len(s) > maxInfoString && c.Flags&InfoUnicode == 0 {
			return false
		}
	}
	return 2*len(c.ClientAddress) < maxClientAddress
}

func FuzzX224(f *testing.F)            { fuzz(f, &ConnectionRequest{}, &ConnectionConfirm{}, &dataTPDU{}) }
func FuzzDomainPDU(f *testing.F)       { fuzz(f, &DomainPDU{}) }
func FuzzConnectInitial(f *testing.F)  { fuzz(f, &connectInitial{}) }
func FuzzConnectResponse(f *testing.F) { fuzz(f, &connectResponse{}) }
func FuzzClientSettings(f *testing.F)  { fuzz(f, &ClientSettings{}) }
func FuzzServerSettings(f *testing.F)  { fuzz(f, &ServerSettings{}) }
func FuzzSecurity(f *testing.F)        { fuzz(f, &heartbeat{}, &rttRequestPDU{}) }
func FuzzClientInfo(f *testing.F)      { fuzz(f, &clientInfo{}) }
func FuzzShare(f *testing.F)           { fuzz(f, &sharePDUs{}, &dataPDU{}) }
func FuzzDemandActive(f *testing.F)    { fuzz(f, &DemandActive{}) }
func FuzzConfirmActive(f *testing.F)   { fuzz(f, &ConfirmActive{}) }
func FuzzFinalization(f *testing.F) {
	fuzz(f, &SaveSessionInfo{}, &control{}, &frameAck{}, &errorInfo{})
}
func FuzzRedirection(f *testing.F)     { fuzz(f, &Redirection{}) }
func FuzzFastPath(f *testing.F)        { fuzz(f, &updates{}) }
func FuzzBitmaps(f *testing.F)         { fuzz(f, &bitmaps{}) }
func FuzzPalette(f *testing.F)         { fuzz(f, &Palette{}) }
func FuzzSurfaceCommands(f *testing.F) { fuzz(f, &surface{}) }
func FuzzInput(f *testing.F)           { fuzz(f, &fastInput{}, &slowInput{}) }

// FuzzPointer also draws what it decodes, and reads slow-path messages.
func FuzzPointer(f *testing.F) {
	codes := []UpdateCode{UpdatePointerColor, UpdatePointerNew, UpdatePointerLarge}
	for i, code := range codes {
		for _, c := range pointerPDUs(f) {
			if p := c.pdu.(*pointer); p.code == code && len(c.bytes) < 4096 {
				f.Add(uint8(i), c.bytes)
			}
		}
	}
	for _, text := range []string{"0100 0000 00000000", "0800 0000 0100 0000 0000 0000 0300 0300 0600 0600 0000 4000 0000 e000 e000 e000"} {
		f.Add(uint8(3), unhex(f, text))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		var code UpdateCode
		if int(which) < len(codes) {
			code = codes[which]
		} else {
			u, err := DecodePointer(b)
			if err != nil {
				if !allowed(err) {
					t.Fatal(err)
				}
				return
			}
			code, b = u.Code, u.Data
		}
		if code != UpdatePointerColor && code != UpdatePointerNew && code != UpdatePointerLarge {
			return
		}
		p := &pointer{code: code}
		if err := p.Decode(b); err != nil {
			if !allowed(err) {
				t.Fatal(err)
			}
			return
		}
		stable(t, p)
		for _, palette := range []*Palette{nil, {}} {
			if size := p.Image(palette).Bounds().Size(); size.X != p.Width || size.Y != p.Height || size.X > MaxPointerSide || size.Y > MaxPointerSide {
				t.Fatalf("%d×%d drawn as %v", p.Width, p.Height, size)
			}
		}
	})
}

// FuzzFrame cuts a stream into the same PDUs however its bytes arrive, and gives out no byte twice.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{3, 0, 0, 7, 2, 0xf0, 0x80, 4, 4, 1, 2, 0, 0x80, 5, 1, 2})
	for _, c := range slicesOf(f) {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, chunked := NewFrameReader(bytes.NewReader(b)), NewFrameReader(iotest.OneByteReader(bytes.NewReader(b)))
		total := 0
		for {
			want, err := whole.Next()
			got, err2 := chunked.Next()
			if err != nil {
				if err2 == nil || err.Error() != err2.Error() {
					t.Fatalf("%v, in single bytes %v", err, err2)
				}
				if err != io.EOF && !allowed(err) { //nolint:errorlint // it has to be io.EOF itself
					t.Fatal(err)
				}
				if err == io.EOF && total != len(b) { //nolint:errorlint // likewise
					t.Fatalf("%d bytes given out of %d", total, len(b))
				}
				return
			}
			if err2 != nil || got.FastPath != want.FastPath || got.Header != want.Header || !bytes.Equal(got.Payload, want.Payload) {
				t.Fatalf("%+v, in single bytes %+v: %v", want, got, err2)
			}
			header := tpktHeader
			if want.FastPath {
				if header = 2; b[total+1]&0x80 != 0 {
					header = 3
				}
			}
			total += header + len(want.Payload)
		}
	})
}

// slicesOf are the examples that come with a TPKT header, and an update in fragments.
func slicesOf(t testing.TB) [][]byte {
	return [][]byte{example(t, "4.1.3"), example(t, "4.1.4"), example(t, "4.6"), unhex(t, "00 06 24 0100 01 00 06 34 0100 02 00 06 14 0100 03")}
}
