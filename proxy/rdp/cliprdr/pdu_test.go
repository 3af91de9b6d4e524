package cliprdr

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/wire"
)

// codec is one message type: decode reads b and appends what it understood.
type codec struct {
	name   string
	decode func(b []byte) ([]byte, error)
}

func listCodec(long bool) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		var l FormatList
		err := l.Decode(b, long)
		return l.Append(nil, long), err
	}
}

func lockCodec(lock bool) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		id, err := DecodeLock(b, lock)
		return AppendLock(nil, lock, id), err
	}
}

// decoding makes a codec's function of a pointer to a message.
func decoding[T any, P interface {
	*T
	Decode(b []byte) error
	Append(b []byte) []byte
}](b []byte) ([]byte, error) {
	var m T
	err := P(&m).Decode(b)
	return P(&m).Append(nil), err
}

var codecs = map[string]codec{
	"caps":              {"CLIPRDR_CAPS", decoding[Capabilities]},
	"temp directory":    {"CLIPRDR_TEMP_DIRECTORY", decoding[TempDirectory]},
	"long list":         {"CLIPRDR_FORMAT_LIST", listCodec(true)},
	"short list":        {"CLIPRDR_FORMAT_LIST", listCodec(false)},
	"data request":      {"CLIPRDR_FORMAT_DATA_REQUEST", decoding[FormatDataRequest]},
	"data response":     {"CLIPRDR_FORMAT_DATA_RESPONSE", decoding[FormatDataResponse]},
	"contents request":  {"CLIPRDR_FILECONTENTS_REQUEST", decoding[FileContentsRequest]},
	"contents response": {"CLIPRDR_FILECONTENTS_RESPONSE", decoding[FileContentsResponse]},
	"lock":              {"CLIPRDR_LOCK_CLIPDATA", lockCodec(true)},
	"unlock":            {"CLIPRDR_UNLOCK_CLIPDATA", lockCodec(false)},
}

// messages are in the samples' form of [MS-RDPECLIP] 4.
var messages = []struct {
	codec string
	wire  string
	value any // what it means, for those with fields
}{
	{
		"caps", "\x07\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x01\x00\x0c\x00\x02\x00\x00\x00\x0e\x00\x00\x00",
		&Capabilities{Version: Version2, Flags: CapUseLongFormatNames | CapStreamFileClip | CapFileClipNoFilePaths},
	},
	{"temp directory", "\x06\x00\x00\x00\x08\x02\x00\x00C\x00:\x00\\\x00" + strings.Repeat("\x00", 514), &TempDirectory{Path: `C:\`}},
	{"long list", "\x02\x00\x00\x00\x00\x00\x00\x00", nil},
	{"long list", "\x02\x00\x00\x00\x12\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x04\xc0\x00\x00N\x00a\x00t\x00\x00\x00", nil},
	{"short list", "\x02\x00\x00\x00\x24\x00\x00\x00\x04\xc0\x00\x00N\x00a\x00t\x00" + strings.Repeat("\x00", 26), nil},
	{"data request", "\x04\x00\x00\x00\x04\x00\x00\x00\x0d\x00\x00\x00", &FormatDataRequest{FormatID: 13}},
	{"data response", "\x05\x00\x01\x00\x04\x00\x00\x00h\x00\x00\x00", &FormatDataResponse{OK: true, Data: []byte("h\x00\x00\x00")}},
	{"data response", "\x05\x00\x02\x00\x00\x00\x00\x00", &FormatDataResponse{}},
	{
		"contents request", "\x08\x00\x00\x00\x18\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x08\x00\x00\x00\x00\x10\x00\x00",
		&FileContentsRequest{StreamID: 2, Index: 1, Flags: FileContentsRange, Position: 8<<32 | 7, Count: 4096},
	},
	{
		"contents request", "\x08\x00\x00\x00\x1c\x00\x00\x00\x02\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00",
		&FileContentsRequest{StreamID: 2, Index: -1, Flags: FileContentsSize, Count: 8, HasClipData: true, ClipDataID: 5},
	},
	{"contents response", "\x09\x00\x01\x00\x06\x00\x00\x00\x02\x00\x00\x00ab", &FileContentsResponse{OK: true, StreamID: 2, Data: []byte("ab")}},
	{"lock", "\x0a\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00", nil},
	{"unlock", "\x0b\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00", nil},
}

func TestMessages(t *testing.T) {
	for _, m := range messages {
		c := codecs[m.codec]
		for _, pad := range []string{"", "\x00\x00\x00\x00"} { // what xrdp appends
			again, err := c.decode([]byte(m.wire + pad))
			if err != nil || string(again) != m.wire {
				t.Errorf("%s: %x became %x: %v", c.name, m.wire, again, err)
			}
		}
		for n := range len(m.wire) {
			if _, err := c.decode([]byte(m.wire[:n])); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", c.name, n, err)
			}
		}
		if m.value == nil {
			continue
		}
		got := reflect.New(reflect.TypeOf(m.value).Elem()).Interface()
		if err := got.(interface{ Decode(b []byte) error }).Decode([]byte(m.wire)); err != nil || !reflect.DeepEqual(got, m.value) {
			t.Errorf("%s: %+v, want %+v: %v", c.name, got, m.value, err)
		}
	}
}

func TestFormatLists(t *testing.T) {
	both := []Format{{ID: 1}, {ID: 0xc004, Name: "Native"}, {ID: 13, Name: "日本"}}
	for _, long := range []bool{true, false} {
		var l FormatList
		if err := l.Decode(FormatList{both}.Append(nil, long), long); err != nil || !reflect.DeepEqual(l.Formats, both) {
			t.Errorf("long %v: %+v: %v", long, l.Formats, err)
		}
		if !l.Has(13) || l.Has(14) {
			t.Errorf("long %v: Has is wrong", long)
		}
	}
	ascii := "\x02\x00\x04\x00\x24\x00\x00\x00\x0d\x00\x00\x00UNICODE" + strings.Repeat("\x00", 25)
	var l FormatList
	if err := l.Decode([]byte(ascii), false); err != nil || len(l.Formats) != 1 || l.Formats[0] != (Format{13, "UNICODE"}) {
		t.Errorf("%+v: %v", l.Formats, err)
	}
	cut := FormatList{[]Format{{ID: 2, Name: strings.Repeat("x", 40)}}}
	if err := l.Decode(cut.Append(nil, false), false); err != nil || l.Formats[0].Name != strings.Repeat("x", 15) {
		t.Errorf("%+v: %v", l.Formats, err)
	}
}

func TestRefuses(t *testing.T) {
	many := FormatList{make([]Format, maxFormats+1)}
	long := FormatList{[]Format{{ID: 1, Name: strings.Repeat("x", maxNameUnits+1)}}}
	for _, c := range []struct{ codec, name, wire, want string }{
		{"data request", "dataLen of 4 GB", "\x04\x00\x00\x00\xff\xff\xff\xff\x0d\x00\x00\x00", "dataLen 4294967295 of 4"},
		{"data request", "another type", "\x05\x00\x00\x00\x04\x00\x00\x00\x0d\x00\x00\x00", "msgType 0x5"},
		{"data request", "too long", "\x04\x00\x00\x00\x05\x00\x00\x00\x0d\x00\x00\x00\x00", "1 bytes left over"},
		{"caps", "count", "\x07\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00", "cCapabilitiesSets 65535"},
		{"caps", "lengthCapability 0", "\x07\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00", "lengthCapability 0"},
		{"caps", "lengthCapability beyond", "\x07\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01\x00\xff\xff", "65531 bytes wanted"},
		{"caps", "short set", "\x07\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x01\x00\x08\x00\x02\x00\x00\x00", "4 bytes wanted"},
		{"long list", "no end of a name", "\x02\x00\x00\x00\x08\x00\x00\x00\x0d\x00\x00\x00x\x00y\x00", "without an end"},
		{"long list", "name too long", string(long.Append(nil, true)), "without an end in 512"},
		{"long list", "too many", string(many.Append(nil, true)), "more than 1024"},
		{"short list", "too many", string(many.Append(nil, false)), "more than 1024"},
		{"short list", "not a multiple", "\x02\x00\x00\x00\x06\x00\x00\x00\x0d\x00\x00\x00\x00\x00", "6 bytes of short names"},
	} {
		if _, err := codecs[c.codec].decode([]byte(c.wire)); !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v", c.codec, c.name, err)
		}
	}
	// A set of another type is no reason to refuse.
	var caps Capabilities
	other := "\x07\x00\x00\x00\x16\x00\x00\x00\x02\x00\x00\x00\x02\x00\x06\x00\x01\x01\x01\x00\x0c\x00\x02\x00\x00\x00\x02\x00\x00\x00"
	if err := caps.Decode([]byte(other)); err != nil || caps.Flags != CapUseLongFormatNames {
		t.Errorf("%+v: %v", caps, err)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		format           uint32
		text, data, back string
	}{
		{FormatUnicodeText, "", "\x00\x00", ""},
		{FormatUnicodeText, "a\nb", "a\x00\r\x00\n\x00b\x00\x00\x00", "a\nb"},
		{FormatUnicodeText, "a\r\nb\rc", "a\x00\r\x00\n\x00b\x00\r\x00\n\x00c\x00\x00\x00", "a\nb\nc"},
		{FormatUnicodeText, "😀", "\x3d\xd8\x00\xde\x00\x00", "😀"},
		{FormatText, "é€\n日", "\xe9\x80\r\n?\x00", "é€\n?"},
		{FormatText, "plain", "plain\x00", "plain"},
	} {
		data, ok := appendText(nil, c.format, c.text, false)
		if !ok || string(data) != c.data {
			t.Errorf("%q in %d is %q", c.text, c.format, data)
		}
		if back := textOf(c.format, data); back != c.back {
			t.Errorf("%q in %d came back as %q", c.text, c.format, back)
		}
	}
	if _, ok := appendText(nil, 2, "x", false); ok {
		t.Error("text as a bitmap")
	}
	for data, want := range map[string]string{
		"x\x00y": "x", "gr\xc3\xbc\xc3\x9fe": "grüße", "\x81\x93": "\uFFFD“", "\xff": "ÿ", "cut \xc3": "cut Ã",
	} {
		if got := textOf(FormatText, []byte(data)); got != want {
			t.Errorf("%q is %q, want %q", data, got, want)
		}
	}
}

func TestLongestTextFits(t *testing.T) {
	data, _ := appendText(nil, FormatUnicodeText, strings.Repeat("\n", desktop.MaxClipboardBytes), false)
	if len(data) > maxTextBytes || len(FormatDataResponse{OK: true, Data: data}.Append(nil)) > MaxMessageBytes {
		t.Errorf("%d bytes", len(data))
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m.wire))
	}
	f.Add([]byte("\x02\x00\x04\x00\x24\x00\x00\x00\x0d\x00\x00\x00UNICODE" + strings.Repeat("\x00", 25)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, c := range codecs {
			once, err := c.decode(b)
			if err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatal(err)
				}
				continue
			}
			if twice, err := c.decode(once); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%s: %x became %x: %v", name, once, twice, err)
			}
		}
	})
}
