// Package system holds the tests of the built program as its users run it: real processes, a real redis-server, and
// what goes wrong around them: kills, crashes of stores, several runs at once, load, hostile input. It has no code of its
// own.
package system
