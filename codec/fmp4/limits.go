package fmp4

const (
	// maxSamples bounds the pictures of one fragment: a minute at 60 frames a second, where a second is usual.
	maxSamples = 3600
	// maxInitBytes bounds an initialisation segment; ours take about 700 bytes.
	maxInitBytes = 64 << 10
	// maxParameterSetBytes bounds an SPS or a PPS; avcC carries 16-bit lengths, real ones take 40 bytes.
	maxParameterSetBytes = 4 << 10
)
