package fmp4

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Init describes one coded size: what an initialisation segment says.
type Init struct {
	SPS, PPS      []byte // NAL units without start code or length
	Width, Height int    // of the visible picture, pixels
}

// Codec is the codecs parameter of the media type, as in avc1.42C028 ([RFC 6381] 3.3).
func (i *Init) Codec() string {
	return fmt.Sprintf("avc1.%02X%02X%02X", i.SPS[1], i.SPS[2], i.SPS[3])
}

func (i *Init) check() error {
	switch {
	case len(i.SPS) < 4 || len(i.SPS) > maxParameterSetBytes || i.SPS[0]&0x1f != 7:
		return fmt.Errorf("%w: SPS of %d bytes", ErrInit, len(i.SPS))
	case i.SPS[1] != 66 && i.SPS[1] != 77 && i.SPS[1] != 100:
		return fmt.Errorf("%w: profile_idc %d is not Baseline, Main or High", ErrInit, i.SPS[1])
	case len(i.PPS) < 2 || len(i.PPS) > maxParameterSetBytes || i.PPS[0]&0x1f != 8:
		return fmt.Errorf("%w: PPS of %d bytes", ErrInit, len(i.PPS))
	case i.Width <= 0 || i.Height <= 0 || i.Width > 1<<14 || i.Height > 1<<14:
		return fmt.Errorf("%w: picture of %d×%d", ErrInit, i.Width, i.Height)
	}
	return nil
}

// Encode makes the initialisation segment: ftyp and moov.
func (i *Init) Encode() ([]byte, error) {
	if err := i.check(); err != nil {
		return nil, err
	}
	moov, _ := newMoov([]Init{*i}, 0)
	trex := mp4.CreateTrex(TrackID)
	trex.DefaultSampleFlags = flagsNonSync
	mvex := mp4.NewMvexBox()
	mvex.AddChild(trex)
	moov.AddChild(mvex)
	return encodeBoxes(mp4.NewFtyp("iso6", 0, []string{"iso6", "avc1", "mp41"}), moov)
}

// ParseInit reads what Encode made.
func ParseInit(b []byte) (Init, error) {
	if len(b) > maxInitBytes {
		return Init{}, fmt.Errorf("%w: %d bytes, %d allowed", ErrInit, len(b), maxInitBytes)
	}
	file, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(b))
	if err != nil {
		return Init{}, fmt.Errorf("%w: %w", ErrInit, err)
	}
	if file.Moov == nil || len(file.Moov.Traks) != 1 {
		return Init{}, fmt.Errorf("%w: no moov with one trak", ErrInit)
	}
	entry := sampleEntry(file.Moov.Trak)
	if entry == nil || entry.AvcC == nil || len(entry.AvcC.SPSnalus) != 1 || len(entry.AvcC.PPSnalus) != 1 {
		return Init{}, fmt.Errorf("%w: no avc1 with one SPS and one PPS", ErrInit)
	}
	init := Init{
		SPS: bytes.Clone(entry.AvcC.SPSnalus[0]), PPS: bytes.Clone(entry.AvcC.PPSnalus[0]),
		Width: int(entry.Width), Height: int(entry.Height),
	}
	return init, init.check()
}

// sampleEntry finds the first sample entry of a track, nil when a box on the way is missing.
func sampleEntry(trak *mp4.TrakBox) *mp4.VisualSampleEntryBox {
	if trak == nil || trak.Mdia == nil || trak.Mdia.Minf == nil || trak.Mdia.Minf.Stbl == nil || trak.Mdia.Minf.Stbl.Stsd == nil {
		return nil
	}
	return trak.Mdia.Minf.Stbl.Stsd.AvcX
}

// newSampleEntry makes the avc1 entry: avcC, and colr for BT.709 full range as the encoder's VUI says.
func newSampleEntry(i *Init) *mp4.VisualSampleEntryBox {
	entry := mp4.CreateVisualSampleEntryBox("avc1", uint16(i.Width), uint16(i.Height), &mp4.AvcCBox{
		DecConfRec: avc.DecConfRec{
			AVCProfileIndication: i.SPS[1], ProfileCompatibility: i.SPS[2], AVCLevelIndication: i.SPS[3],
			SPSnalus: [][]byte{i.SPS}, PPSnalus: [][]byte{i.PPS},
			ChromaFormat: 1, // 4:2:0; written for High profile only
		},
	})
	entry.CompressorName = ""
	const bt709 = 1 // [ITU-T H.273] primaries, transfer and matrix
	entry.AddChild(&mp4.ColrBox{
		ColorType: mp4.ColorTypeOnScreenColors, ColorPrimaries: bt709, TransferCharacteristics: bt709,
		MatrixCoefficients: bt709, FullRangeFlag: true,
	})
	return entry
}

// newMoov makes a moov with one track of an entry for each of inits, shown in the last one's size. duration is in ticks.
func newMoov(inits []Init, duration uint64) (*mp4.MoovBox, *mp4.StblBox) {
	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Version = 1
	mvhd.Timescale = Timescale
	mvhd.Duration = duration
	mvhd.NextTrackID = TrackID + 1
	moov.AddChild(mvhd)
	trak := mp4.CreateEmptyTrak(TrackID, Timescale, "video", "und")
	moov.AddChild(trak)
	stbl := trak.Mdia.Minf.Stbl
	for i := range inits {
		stbl.Stsd.AddChild(newSampleEntry(&inits[i]))
	}
	last := inits[len(inits)-1]
	trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(last.Width<<16), mp4.Fixed32(last.Height<<16)
	return moov, stbl
}
