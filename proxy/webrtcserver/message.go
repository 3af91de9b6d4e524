package webrtcserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// The labels of the data channels (PROTOCOL.md).
const (
	channelInput     = "input"
	channelMotion    = "motion"
	channelClipboard = "clipboard"
	channelControl   = "control"
	channelPatches   = "patches"
)

// message is something a browser says. check refuses what no honest browser says.
type message interface{ check() error }

// place is a point of a desktop as large as the one the browser was showing.
type place struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W int     `json:"w"`
	H int     `json:"h"`
	// Buttons are those held, bit 0 left, 1 middle, 2 right, 3 back, 4 forward.
	Buttons int `json:"buttons"`
}

type keyMessage struct {
	Code string `json:"code"`
	Key  string `json:"key"`
	Down bool   `json:"down"`
}

type textMessage struct {
	Text string `json:"text"`
}

// locksMessage is what the person's keyboard has locked.
type locksMessage struct {
	Caps   bool `json:"caps"`
	Num    bool `json:"num"`
	Scroll bool `json:"scroll"`
	Kana   bool `json:"kana"`
}

type buttonMessage struct{ place }

type wheelMessage struct {
	place
	DX float64 `json:"dx"`
	DY float64 `json:"dy"`
}

type releaseMessage struct{}

type comboMessage struct {
	Codes []string `json:"codes"`
}

// awaitMessage says that what follows on this channel is for after a clipboard text.
type awaitMessage struct {
	Clip int64 `json:"clip"`
}

type moveMessage struct {
	place
	N uint64 `json:"n"`
}

type clipMessage struct {
	ID    int64  `json:"id"`
	Part  int    `json:"part"`
	Parts int    `json:"parts"`
	Text  string `json:"text"`
}

type pingMessage struct {
	ID int64 `json:"id"`
}

type resizeMessage struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

type refreshMessage struct{}

// seenMessage says that a message was read.
type seenMessage struct {
	ID string `json:"id"`
}

func newMove() message { return new(moveMessage) }

// messages are the kinds each channel may carry.
var messages = map[string]map[string]func() message{
	channelInput: {
		"key":     func() message { return new(keyMessage) },
		"text":    func() message { return new(textMessage) },
		"locks":   func() message { return new(locksMessage) },
		"button":  func() message { return new(buttonMessage) },
		"wheel":   func() message { return new(wheelMessage) },
		"release": func() message { return new(releaseMessage) },
		"combo":   func() message { return new(comboMessage) },
		"await":   func() message { return new(awaitMessage) },
		"move":    newMove,
	},
	channelMotion: {
		"move": newMove,
	},
	channelClipboard: {
		"clip": func() message { return new(clipMessage) },
	},
	channelControl: {
		"ping":    func() message { return new(pingMessage) },
		"resize":  func() message { return new(resizeMessage) },
		"refresh": func() message { return new(refreshMessage) },
		"seen":    func() message { return new(seenMessage) },
	},
	channelPatches: {}, // the browser says nothing on it
}

// decodeMessage reads one message of a channel. Its errors quote nothing of the message, because people type
// passwords.
func decodeMessage(channel string, data []byte) (message, error) {
	if len(data) > maxMessageBytes {
		return nil, fmt.Errorf("%d bytes exceed %d", len(data), maxMessageBytes)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	var head struct {
		T string `json:"t"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, jsonError(err)
	}
	kind, ok := messages[channel][head.T]
	if !ok {
		return nil, errors.New("unknown kind of message")
	}
	m := kind()
	if err := json.Unmarshal(data, m); err != nil {
		return nil, jsonError(err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", head.T, err)
	}
	return m, nil
}

// jsonError says what is wrong without the value that is.
func jsonError(err error) error {
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("field %q has the wrong type", typed.Field)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("malformed JSON at byte %d", syntax.Offset)
	}
	return errors.New("malformed JSON")
}

func (p *place) check() error {
	if p.W < 1 || p.H < 1 || p.W > maxCoordinate || p.H > maxCoordinate {
		return fmt.Errorf("desktop of %d×%d pixels", p.W, p.H)
	}
	if !(math.Abs(p.X) <= maxCoordinate && math.Abs(p.Y) <= maxCoordinate) { // also false for NaN
		return fmt.Errorf("coordinates beyond %d", maxCoordinate)
	}
	if all := desktop.ButtonForward<<1 - 1; p.Buttons < 0 || p.Buttons > int(all) {
		return fmt.Errorf("buttons %#x exceed %#x", p.Buttons, int(all))
	}
	return nil
}

func (m *keyMessage) check() error {
	if len(m.Code) > maxKeyNameBytes || len(m.Key) > maxKeyNameBytes {
		return fmt.Errorf("code or key exceeds %d bytes", maxKeyNameBytes)
	}
	if m.Code == "" && m.Key == "" {
		return errors.New("neither code nor key")
	}
	return nil
}

func (m *textMessage) check() error {
	if m.Text == "" || len(m.Text) > maxTextBytes {
		return fmt.Errorf("text of %d bytes, need 1 to %d", len(m.Text), maxTextBytes)
	}
	return nil
}

func (*locksMessage) check() error { return nil }

func (*releaseMessage) check() error { return nil }

func (m *comboMessage) check() error {
	if len(m.Codes) < 1 || len(m.Codes) > maxComboKeys {
		return fmt.Errorf("%d keys, need 1 to %d", len(m.Codes), maxComboKeys)
	}
	for _, code := range m.Codes {
		if len(code) > maxKeyNameBytes {
			return fmt.Errorf("code exceeds %d bytes", maxKeyNameBytes)
		}
	}
	return nil
}

func (m *clipMessage) check() error {
	if m.Parts < 1 || m.Parts > maxClipParts || m.Part < 0 || m.Part >= m.Parts {
		return fmt.Errorf("part %d of %d, at most %d", m.Part, m.Parts, maxClipParts)
	}
	if len(m.Text) > maxClipPartBytes {
		return fmt.Errorf("part of %d bytes exceeds %d", len(m.Text), maxClipPartBytes)
	}
	return nil
}

func (*awaitMessage) check() error { return nil }

func (*pingMessage) check() error { return nil }

func (m *resizeMessage) check() error {
	if m.Width < 1 || m.Height < 1 || m.Width > maxCoordinate || m.Height > maxCoordinate {
		return fmt.Errorf("desktop of %d×%d pixels", m.Width, m.Height)
	}
	return nil
}

func (*refreshMessage) check() error { return nil }

func (m *seenMessage) check() error {
	if m.ID == "" || len(m.ID) > maxIDBytes {
		return fmt.Errorf("id of %d bytes, need 1 to %d", len(m.ID), maxIDBytes)
	}
	return nil
}
