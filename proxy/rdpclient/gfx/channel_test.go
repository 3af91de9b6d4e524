package gfx_test

import (
	"bytes"
	"image"
	"testing"

	"github.com/vitrine-psm/vitrine/codec/zgfx"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
	"github.com/vitrine-psm/vitrine/proxy/rdp/egfx"
	"github.com/vitrine-psm/vitrine/proxy/rdpclient/gfx"
)

// TestOverDynamicChannel runs a Compositor the way a session does: on a channel of a dvc.Client that the server opens,
// fills, closes and opens again.
func TestOverDynamicChannel(t *testing.T) {
	fb, err := desktop.NewFramebuffer(image.Pt(64, 64))
	if err != nil {
		t.Fatal(err)
	}
	var sent [][]byte
	client := dvc.NewClient(func(pdu []byte) error {
		sent = append(sent, bytes.Clone(pdu))
		return nil
	})
	var open *gfx.Compositor
	client.Register(egfx.ChannelName, gfx.MaxMessageBytes, func(ch *dvc.Channel) (dvc.Handler, error) {
		var err error
		open, err = gfx.Open(gfx.Config{Framebuffer: fb, Send: ch.Send})
		return open, err
	})
	feed := func(pdu []byte) {
		t.Helper()
		if err := client.Message(pdu); err != nil {
			t.Fatal(err)
		}
	}
	graphics := func(messages ...egfx.Message) {
		t.Helper()
		var b []byte
		for _, m := range messages {
			b = m.Append(b)
		}
		b = zgfx.AppendUncompressed(nil, b)
		for done := 0; done < len(b); {
			var pdu []byte
			pdu, done = dvc.AppendFragment(nil, 7, b, done)
			feed(pdu)
		}
	}
	picture := make([]byte, 64*64*4)
	for i := range picture {
		picture[i] = byte(i * 7)
	}
	feed((&dvc.CapsRequest{Version: 3}).Append(nil))
	for round := range 2 {
		feed((&dvc.CreateRequest{ChannelID: 7, Name: egfx.ChannelName}).Append(nil))
		graphics(&egfx.CapsConfirm{Set: egfx.NewCapSet(egfx.CapVersion106, egfx.CapSmallCache|egfx.CapAVCDisabled)},
			&egfx.ResetGraphics{Width: 64, Height: 64})
		graphics(&egfx.CreateSurface{SurfaceID: 1, Width: 64, Height: 64, PixelFormat: egfx.FormatXRGB}, &egfx.MapSurfaceToOutput{SurfaceID: 1},
			&egfx.StartFrame{FrameID: 3}, &egfx.WireToSurface1{
				SurfaceID: 1, PixelFormat: egfx.FormatXRGB, DestRect: egfx.Rect16{Right: 64, Bottom: 64}, Data: picture,
			}, &egfx.EndFrame{FrameID: 3})
		if pix, _ := fb.CopyPixels(); !bytes.Equal(pix, picture) || open.Version() != "10.6" || open.Stats().Frames != 1 {
			t.Errorf("round %d: version %s, %+v", round, open.Version(), open.Stats())
		}
		feed((&dvc.Close{ChannelID: 7}).Append(nil))
	}
	data := func(m egfx.Message) []byte { return (&dvc.Data{ChannelID: 7, Data: m.Append(nil)}).Append(nil) }
	round := [][]byte{
		(&dvc.CreateResponse{ChannelID: 7}).Append(nil), data(&egfx.CapsAdvertise{Sets: egfx.ClientCaps()}),
		data(&egfx.FrameAcknowledge{FrameID: 3, FramesDecoded: 1}), (&dvc.Close{ChannelID: 7}).Append(nil),
	}
	want := append([][]byte{(&dvc.CapsResponse{Version: 2}).Append(nil)}, append(round, round...)...)
	if !bytes.Equal(bytes.Join(sent, []byte("|")), bytes.Join(want, []byte("|"))) {
		t.Errorf("sent %x", sent)
	}
}
