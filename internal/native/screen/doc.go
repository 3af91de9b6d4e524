// Package screen draws what a native client sees before there is a desktop: forms to sign in by, questions that policies ask,
// and what the gateway is doing meanwhile. It draws into a desktop.Framebuffer and takes the input of one person; it knows no
// protocol, nobody's password and no policy.
//
// A Screen shows one Form at a time. Show replaces it, keeping what was typed into fields of the same name; Next waits for what
// the person does with it. Run draws; only what changed is drawn, so that a still screen costs nothing.
package screen

import "image/color"

// Form is what is shown.
type Form struct {
	Title string
	Text  string // a paragraph under the title; lines are broken to fit
	// Fields are typed into, Choices chosen from with the arrows, a click or the first letters; a form has one or the other, or neither.
	Fields  []Field
	Choices []Choice
	Code    string // shown large, to be typed elsewhere
	Error   string // what was wrong with the last answer
	Notice  string // something good to know, or what is waited for
	Busy    bool   // something is under way: fields and the submit button are dead
	Submit  string // the main button, and Enter; empty: none
	Links   []Link // further things to do, under the button
	Foot    string // in small print at the bottom of the window
}

// Field is a line to type into.
type Field struct {
	Name   string
	Label  string
	Value  string // at first
	Secret bool   // shown as dots
	Code   bool   // digits and letters in a fixed width
	Once   bool   // what was wrong is not typed again
	Max    int    // characters; 0: maxField
	Hint   string // under it
}

// Choice is a line of a list.
type Choice struct{ ID, Title, Detail string }

// Link is a button without weight. Esc is the last one's.
type Link struct{ ID, Label string }

// Act is what the person has done: Submitted, or a Link's ID.
type Act struct {
	ID     string
	Values map[string]string // of fields, by name
	Choice string            // id of the chosen one
}

// Submitted is the ID of an Act by the main button.
const Submitted = "submit"

const (
	maxField = 128 // characters in a field
	maxActs  = 4   // acts that wait to be taken; further ones are dropped
)

// The console's dark scheme.
var (
	ground   = color.RGBA{0x0d, 0x13, 0x13, 0xff}
	surface  = color.RGBA{0x13, 0x1a, 0x1a, 0xff}
	raised   = color.RGBA{0x1a, 0x23, 0x22, 0xff}
	sunken   = color.RGBA{0x0a, 0x0f, 0x0f, 0xff}
	line     = color.RGBA{0x23, 0x30, 0x30, 0xff}
	lineHard = color.RGBA{0x36, 0x42, 0x3f, 0xff}
	ink      = color.RGBA{0xe4, 0xeb, 0xe8, 0xff}
	ink2     = color.RGBA{0x9e, 0xab, 0xa6, 0xff}
	ink3     = color.RGBA{0x7c, 0x89, 0x85, 0xff}
	accent   = color.RGBA{0x6c, 0xc3, 0xb7, 0xff}
	accentHi = color.RGBA{0x8a, 0xd6, 0xcb, 0xff}
	soft     = color.RGBA{0x13, 0x30, 0x2d, 0xff}
	onAccent = color.RGBA{0x08, 0x16, 0x14, 0xff}
	brick    = color.RGBA{0xec, 0x8a, 0x7b, 0xff}
	brickBg  = color.RGBA{0x34, 0x16, 0x12, 0xff}
	brass    = color.RGBA{0xe0, 0xb0, 0x4e, 0xff}
	brassBg  = color.RGBA{0x2e, 0x24, 0x10, 0xff}
)
