package ocr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/tiff"
)

func picture(width, height int) Picture {
	p := Picture{width, height, make([]byte, width*height)}
	for i := range p.Grey {
		p.Grey[i] = byte(i * 7)
	}
	return p
}

func TestRequest(t *testing.T) {
	pictures := []Picture{picture(3, 4), picture(1, 1), picture(200, 20)}
	var b bytes.Buffer
	require.NoError(t, writeRequest(&b, pictures))
	require.NoError(t, writeRequest(&b, pictures[:1]))
	whole := b.Bytes()
	r := bytes.NewReader(whole)
	got, err := readRequest(r)
	require.NoError(t, err)
	require.Equal(t, pictures, got)
	got, err = readRequest(r)
	require.NoError(t, err)
	require.Equal(t, pictures[:1], got)
	_, err = readRequest(r)
	require.ErrorIs(t, err, io.EOF)
	for cut := 1; cut < len(whole)-4-20-12; cut += 97 {
		_, err = readRequest(bytes.NewReader(whole[:cut]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, cut)
	}
	for text, says := range map[string]string{
		`{"sizes":[]}`: "0, want 1", `{}`: "0, want 1", `{"sizes":[[0,5]]}`: "0×5", `{"sizes":[[5,-1]]}`: "5×-1", `{"sizes":[[9000,1]]}`: "9000×1",
		`{"sizes":[[8192,192],[1,1]]}`: "pixels", `[`: "no JSON", `{"sizes":[` + strings.Repeat("[1,1],", MaxPictures) + `[1,1]]}`: "257",
	} {
		_, err = readRequest(strings.NewReader(frame(text)))
		require.ErrorContains(t, err, says, text)
	}
	_, err = readRequest(strings.NewReader("\xff\xff\xff\xff"))
	require.ErrorContains(t, err, "exceeds")
}

func frame(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

func TestCheck(t *testing.T) {
	require.NoError(t, Check([]Picture{picture(5, 5)}))
	require.NoError(t, Check([]Picture{picture(8192, 192)}))
	for _, bad := range [][]Picture{
		nil, make([]Picture, MaxPictures+1),
		{picture(0, 5)},
		{picture(8193, 1)},
		{picture(8192, 193)},
		{{5, 5, make([]byte, 24)}},
		{picture(8192, 100), picture(8192, 100)},
	} {
		require.ErrorIs(t, Check(bad), errPictures)
	}
}

func TestAnswer(t *testing.T) {
	pictures := []Picture{picture(30, 20), picture(10, 10)}
	read := func(text string) (answer, error) { return readAnswer(strings.NewReader(frame(text)), pictures) }
	a, err := read(`{"lines":[{"p":0,"b":[1,2,30,20],"t":"some\ttext\u202e\u0000"},{"p":1,"b":[0,0,0,0],"t":" \u0007 "}]}`)
	require.NoError(t, err)
	require.Equal(t, []Line{{0, image.Rect(1, 2, 30, 20), "some text"}}, a.lines())
	a, err = read(`{"failure":"timeout","detail":"` + strings.Repeat("x", 1000) + `"}`)
	require.NoError(t, err)
	require.Len(t, a.Detail, maxFailureBytes)
	for text, says := range map[string]string{
		`{"lines":[{"p":2,"t":"x"}]}`:                                     "picture 2 of 2",
		`{"lines":[{"p":-1,"t":"x"}]}`:                                    "picture -1",
		`{"lines":[{"p":1,"b":[0,0,11,1],"t":"x"}]}`:                      "box",
		`{"lines":[` + strings.Repeat(`{"p":0},`, MaxLines) + `{"p":0}]}`: "2001 lines",
		`{"lines":7}`: "no JSON",
	} {
		_, err := read(text)
		require.ErrorContains(t, err, says, text)
	}
	_, err = readAnswer(strings.NewReader(""), pictures)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a  b\tc\r\nd": "a b c d", "\x1b[31mred": "[31mred", "bad\xff\xfeutf": "bad utf", "right\u202eleft\u200b": "right left", "": "", "déjà": "déjà",
	} {
		require.Equal(t, want, clean(in, 100))
	}
	require.Equal(t, "dé", clean("déjà", 3))
	require.Equal(t, "d", clean("déjà", 2))
}

// TestTIFF has another decoder read the first page, and follows the others by hand.
func TestTIFF(t *testing.T) {
	pages := []page{{3, 5, []byte("abcdefghijklmno")}, {4, 2, []byte("ABCDEFGH")}, {1, 1, []byte("z")}}
	file := tiffOf(pages)
	img, err := tiff.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 3, 5), img.Bounds())
	require.Equal(t, color.Gray{'h'}, img.At(1, 2))
	at := binary.LittleEndian.Uint32(file[4:])
	for _, p := range pages {
		require.Zero(t, at%2)
		// A file that begins with this page is one, too.
		file := append(binary.LittleEndian.AppendUint32(append([]byte(nil), file[:4]...), at), file[8:]...)
		img, err := tiff.Decode(bytes.NewReader(file))
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, p.width, p.height), img.Bounds())
		require.Equal(t, color.Gray{p.grey[len(p.grey)-1]}, img.At(p.width-1, p.height-1))
		at = binary.LittleEndian.Uint32(file[at+2+12*entries:])
	}
	require.Zero(t, at)
}

func TestPrepare(t *testing.T) {
	_, ok := prepare(&Picture{10, 10, bytes.Repeat([]byte{77}, 100)})
	require.False(t, ok, "all of one shade")
	grey := bytes.Repeat([]byte{30}, 100) // light on dark, faint
	grey[55] = 90
	p, ok := prepare(&Picture{10, 10, grey})
	require.True(t, ok)
	require.Equal(t, scale*(10+2*border), p.width)
	require.Len(t, p.grey, p.width*p.height)
	require.Equal(t, uint8(255), p.grey[0], "the ground is white, and so is the border")
	darkest, at := uint8(255), image.Point{}
	for i, g := range p.grey {
		if g < darkest {
			darkest, at = g, image.Pt(i%p.width/scale-border, i/p.width/scale-border)
		}
	}
	require.Equal(t, image.Pt(5, 5), at, "the one pixel is where it was")
	require.Less(t, darkest, uint8(120))
	require.Equal(t, image.Rect(5, 5, 6, 6), onPicture(image.Rect(scale*(5+border), scale*(5+border), scale*(6+border), scale*(6+border)), &Picture{10, 10, nil}))
	require.Equal(t, image.Rect(0, 0, 10, 10), onPicture(image.Rect(0, 0, p.width, p.height), &Picture{10, 10, nil}))
}

// aTSV is what tesseract 5.3 writes, shortened.
const aTSV = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n" +
	"1\t1\t0\t0\t0\t0\t0\t0\t400\t26\t-1\t\n" +
	"4\t1\t1\t1\t1\t0\t0\t0\t400\t26\t-1\t\n" +
	"5\t1\t1\t1\t1\t1\t10\t4\t100\t20\t35.661125\tcat\n" +
	"5\t1\t1\t1\t1\t2\t114\t2\t286\t22\t0.000000\t/etc/shadow\n" +
	"5\t1\t1\t1\t2\t1\t0\t30\t9\t22\t91\t~|\n" +
	"5\t2\t1\t1\t1\t1\t1\t1\t9\t9\t91\tpage 2\n"

func TestTSV(t *testing.T) {
	lines, err := parseTSV([]byte(aTSV))
	require.NoError(t, err)
	require.Equal(t, []Line{{0, image.Rect(10, 2, 400, 24), "cat /etc/shadow"}, {1, image.Rect(1, 1, 10, 10), "page 2"}}, lines, "without signs there is no line")
	word := "5\t1\t1\t1\t1\t1\t10\t4\t100\t20\t90\tword\n"
	for _, bad := range []string{
		"nonsense", strings.Replace(word, "\t100\t", "\t-1\t", 1), strings.Replace(word, "\t100\t", "\t99999999\t", 1), strings.Replace(word, "5\t1", "5\t0", 1),
		strings.Replace(word, "5\t1", "5\t257", 1), strings.Replace(word, "\t10\t", "\tx\t", 1), strings.Repeat("\n", maxTSVRows+1),
	} {
		_, err := parseTSV([]byte(bad))
		require.ErrorIs(t, err, errTSV, "%.60q", bad)
	}
	var b strings.Builder
	for i := range MaxLines + 10 {
		fmt.Fprintf(&b, "5\t1\t1\t1\t%d\t1\t10\t4\t100\t20\t90\tword\n", i)
	}
	lines, err = parseTSV([]byte(b.String()))
	require.NoError(t, err)
	require.Len(t, lines, MaxLines)
}

func FuzzTSV(f *testing.F) {
	f.Add([]byte(aTSV))
	f.Add([]byte("5\t1\t1\t1\t1\t1\t10\t4\t100\t20\tNaN\t\x1b[2J\xff\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := parseTSV(b)
		if err != nil {
			require.Empty(t, lines)
			return
		}
		require.LessOrEqual(t, len(lines), MaxLines)
		for _, l := range lines {
			require.True(t, l.Text != "" && len(l.Text) <= MaxLineBytes && utf8.ValidString(l.Text) && !strings.ContainsFunc(l.Text, unicode.IsControl), "%q", l.Text)
			require.True(t, l.Picture >= 0 && l.Picture < MaxPictures)
			p := Picture{50, 40, nil}
			require.True(t, onPicture(l.Box, &p).In(image.Rect(0, 0, 50, 40)))
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(frame(`{"sizes":[[2,2],[1,3]]}`) + "1234567"))
	f.Add([]byte(frame(`{"sizes":[[8192,192]]}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		pictures, err := readRequest(bytes.NewReader(b))
		if err != nil {
			return
		}
		require.NoError(t, Check(pictures))
		var out bytes.Buffer
		require.NoError(t, writeRequest(&out, pictures))
		again, err := readRequest(&out)
		require.NoError(t, err)
		require.Equal(t, pictures, again)
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(frame(`{"lines":[{"p":0,"b":[1,2,3,4],"t":"text"}]}`)))
	f.Add([]byte(frame(`{"failure":"failed","detail":"exit status 1"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		pictures := []Picture{picture(30, 20)}
		a, err := readAnswer(bytes.NewReader(b), pictures)
		if err != nil {
			return
		}
		for _, l := range a.lines() {
			require.True(t, l.Text != "" && len(l.Text) <= MaxLineBytes && utf8.ValidString(l.Text) && !strings.ContainsFunc(l.Text, unicode.IsControl), "%q", l.Text)
			require.True(t, l.Box.In(image.Rect(0, 0, 30, 20)))
		}
	})
}

// BenchmarkRead is what reading costs, the start of a tesseract included: "cpu-ms" of this process's children, on one core. One line
// is what somebody who types makes every few seconds, a screen what a new window does.
func BenchmarkRead(b *testing.B) {
	tesseractHere(b)
	line := "-rw-r----- 1 root shadow 691 Nov 27 01:19 /etc/shadow and so on"
	for name, n := range map[string]int{"line": 1, "screen": 24} {
		b.Run(name, func(b *testing.B) {
			var pictures []Picture
			for i := range n {
				pictures = append(pictures, written(b, 0, 255, fmt.Sprint(i, " ", line)))
			}
			t := tesseract{program: "tesseract", languages: []string{"eng"}, timeout: time.Minute, env: environment()}
			before := childrenTime(b)
			for b.Loop() {
				if a := t.read(b.Context(), pictures); a.Failure != "" || len(a.Lines) < n {
					b.Fatalf("%+v", a)
				}
			}
			b.ReportMetric((childrenTime(b)-before).Seconds()/float64(b.N)*1000, "cpu-ms")
		})
	}
}

// BenchmarkPrepare is the helper's own part for a screen of 1024×768.
func BenchmarkPrepare(b *testing.B) {
	p := picture(1024, 768)
	b.SetBytes(int64(len(p.Grey)))
	for b.Loop() {
		prepare(&p)
	}
}
