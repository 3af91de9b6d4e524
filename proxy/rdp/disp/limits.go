package disp

const (
	// minSide and maxSide bound a monitor's sides in pixels ([MS-RDPEDISP] 2.2.2.2.1).
	minSide = 200
	maxSide = 8192
	// maxMonitors bounds NumMonitors: as many as RDP has anywhere else ([MS-RDPBCGR] 2.2.1.3.6, [MS-RDPEGFX] 2.2.2.14).
	maxMonitors = 16
	// maxPixels is the largest monitor there can be.
	maxPixels = maxSide * maxSide
	// minMillimetres and maxMillimetres bound the physical sides ([MS-RDPEDISP] 2.2.2.2.1).
	minMillimetres = 10
	maxMillimetres = 10_000
	// minDesktopScale and maxDesktopScale bound DesktopScaleFactor, percent ([MS-RDPEDISP] 2.2.2.2.1).
	minDesktopScale = 100
	maxDesktopScale = 500
)
