// Package rules keeps the rules of detection: those Vitrine comes with, those of the configuration, and what people make of
// them in the console.
//
// The three lie over each other. The configuration adds rules, puts others in the place of shipped ones and changes what rules
// do; the console does the same to what the configuration leaves. What the console says is a row in the store. Where it changes no more of
// a rule than what it does, how bad it is, whether it is tried and for whom, the row holds that alone, so that a later version's
// patterns are taken up; else it holds a rule of its own. Every change has a version, with who made it.
//
// A [Book] puts them together. Changes of other nodes are seen by the store's revision, which is asked for before a session begins
// and every few seconds, so that running sessions get new rules, too.
//
// A row that cannot be used any more, because its list is gone with an update, stops nothing: what lies below it is tried instead,
// and it says what is wrong with it.
package rules
