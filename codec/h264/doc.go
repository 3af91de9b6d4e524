// Package h264 makes H.264 ([ISO/IEC 14496-10]) out of I420 planes and reads as much of it as a recorder needs.
//
// The stream is constrained baseline (profile_idc 66, constraint_set0 and 1: profile-level-id 42c0xx), one reference, no
// reordering, so that every picture can be shown as soon as it is decoded; the level follows from size and frame
// rate. The VUI (annex E) says BT.709, full range. Every access unit is one picture in Annex B form; an IDR picture
// carries SPS and PPS before it.
//
// Encoder is a thin binding to libx264. It is built for desktops: the caller says which macroblocks changed, and the rest
// costs next to nothing.
package h264
