// Package system tests the built program as its users run it, with real processes and a real redis-server: kills, crashes
// of stores, several runs at once, load, hostile input. It has no code of its own.
package system
