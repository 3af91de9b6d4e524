package ocr

import "time"

// Caps of a request.
const (
	// MaxPictures bounds the pictures that are read at once.
	MaxPictures = 256
	// MaxPixels bounds their pixels together; a picture is a byte a pixel.
	MaxPixels = 1<<20 + 1<<19
	// maxSide bounds the sides of a picture.
	maxSide = 8192
)

// Caps of an answer.
const (
	// MaxLines bounds the lines of an answer. More are left out.
	MaxLines = 2000
	// MaxLineBytes bounds the text of a line. What is longer is cut.
	MaxLineBytes = 1000
	// maxFailureBytes bounds what a helper says of a failure.
	maxFailureBytes = 300
	// maxHeaderBytes bounds the head of a request in bytes: MaxPictures sizes.
	maxHeaderBytes = 16 << 10
	// maxAnswerBytes bounds an answer: half of what MaxLines lines could take, which no screen has.
	maxAnswerBytes = 2 << 20
	// maxTSVBytes and maxTSVRows bound what is taken of tesseract's output. More means that it writes nonsense.
	maxTSVBytes, maxTSVRows = 8 << 20, 200_000
)

// How a helper and its tesseract are bound.
const (
	// maxMemory bounds tesseract's address space in bytes: ten times what it takes for MaxPixels.
	maxMemory = 2 << 30
	// killGrace is how much longer than tesseract's time a helper may take to answer: then it hangs itself.
	killGrace = 5 * time.Second
	// firstPause and longestPause are how long a helper that does not start, or dies, is left alone: twice as long each time.
	firstPause, longestPause = time.Second, time.Minute
	// startTimeout is how long a helper may take until it has locked itself in, on a machine under load and with the lowest priority.
	startTimeout = 30 * time.Second
	// lookAgain is how long it is believed that something is not installed.
	lookAgain = 5 * time.Second
	// checkTimeout bounds the question which languages are there.
	checkTimeout = 10 * time.Second
	// maxStderrBytes bounds what is kept of a helper's or tesseract's standard error.
	maxStderrBytes = 2 << 10
)

// How pictures are made ready.
const (
	// scale makes letters of a screen nearly as large as tesseract has learned them. Three reads hardly better and costs a fifth more.
	scale = 2
	// border is added around a picture, in its pixels: tesseract does not see letters at the edge.
	border = 6
	// minSpread is the least difference between the darkest and the lightest of a picture with text.
	minSpread = 32
	// resolution is told to tesseract in dots an inch, which otherwise guesses.
	resolution = 96 * scale
	// minSigns is how many letters and digits a line must have. Tesseract's confidence is of no use: it has none in commands and paths.
	minSigns = 3
)
