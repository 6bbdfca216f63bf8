package transporttest

// checks is the table, in the order of the rules.
var checks = number([]*check{
	{name: "state-open", rule: "R1: It is a hint; only the error of Send decides.", run: stateOpen},
	{name: "send-copies", rule: "R3: Send neither changes nor keeps the caller's bytes.", run: sendCopies},
	{name: "bounds", rule: "R4: A message arrives as it was sent: its bounds, its bytes, empty or not, text or binary, and never twice.", run: bounds},
	{name: "text-invalid", rule: "R5: Text that is not UTF-8 is refused with ErrInvalidText.", run: textInvalid},
	{name: "max-size", rule: "R6: Messages up to Properties.MaxMessageSize, at least 65,535 bytes, are carried.", run: maxSize},
	{name: "too-large", rule: "R6: One byte more is refused with ErrTooLarge.", run: tooLarge},
	{name: "order", rule: "R8: On an ordered channel messages arrive in the order in which Send accepted them.", run: order},
	{name: "receive-cancel", rule: "R10: A done context ends Receive and nothing else", run: receiveCancel},
	{name: "kept", rule: "R10: A message that arrives before anybody receives is kept.", run: kept},
	{name: "eof", rule: "R12: Receive returns everything the peer sent, then io.EOF, again and again.", run: eof},
	{name: "close-delivers", rule: "R13: Close delivers what Send accepted as long as the peer keeps reading", run: closeDelivers},
	{name: "close-twice", rule: "R13: may be called twice and from anywhere", run: closeTwice},
	{name: "close-wakes-receive", rule: "R13: wakes Receive and Drain with ErrClosed", run: closeWakesReceive},
	{name: "half-close", rule: "R16: CloseWrite ends one direction and leaves the other open", run: halfClose},
	{name: "abort", rule: "R14: Receive returns what had arrived, then an error matching ErrAborted", run: abort},
})

func number(list []*check) []*check {
	for i, c := range list {
		c.index = i
	}
	return list
}

// slowFirst returns the checks with those that wait long in front.
func slowFirst() []*check {
	var slow, rest []*check
	for _, c := range checks {
		if c.slow {
			slow = append(slow, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(slow, rest...)
}
