package dcchan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/pion/webrtc/v4"

	"github.com/chunkferry/chunkferry/transports/dcchan"
)

func Example() {
	ctx := context.Background()
	l, err := dcchan.Listen("127.0.0.1:0", &dcchan.Options{SelfSigned: true})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	a, err := dcchan.Dial(ctx, l.URL(), &dcchan.Options{Label: "greetings", Pin: l.Pin()})
	if err != nil {
		log.Fatal(err)
	}
	b, err := l.Accept(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(a.SendText("hello"), a.Close()); err != nil {
		log.Fatal(err)
	}
	m, err := b.Receive(ctx)
	fmt.Printf("%s: %s %v\n", b.Properties().Label, m.Data, err)
	_, err = b.Receive(ctx)
	fmt.Println(err == io.EOF, b.Close())
	// Output:
	// greetings: hello <nil>
	// true <nil>
}

// An application that has its own connections, and its own way to exchange the
// descriptions, makes channels of its data channels.
func ExampleNew() {
	var engine webrtc.SettingEngine
	dcchan.Configure(&engine)
	engine.SetIncludeLoopbackCandidate(true)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(engine))
	here, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	defer here.GracefulClose()
	there, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		log.Fatal(err)
	}
	defer there.GracefulClose()

	accepted := make(chan *dcchan.Channel, 1)
	there.OnDataChannel(func(dc *webrtc.DataChannel) {
		if c, err := dcchan.New(dc, nil); err == nil { // inside, so that nothing is lost
			accepted <- c
		}
	})
	dc, err := here.CreateDataChannel("frames", nil)
	if err != nil {
		log.Fatal(err)
	}
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) }) // remains the application's
	a, err := dcchan.New(dc, nil)
	if err != nil {
		log.Fatal(err)
	}
	signal(here, there)
	<-opened
	b := <-accepted

	if err := errors.Join(a.SendText("hello"), a.Close()); err != nil {
		log.Fatal(err)
	}
	m, err := b.Receive(context.Background())
	fmt.Printf("%s: %s %v\n", b.Properties().Label, m.Data, err)
	fmt.Println(b.Close())
	// Output:
	// frames: hello <nil>
	// <nil>
}

// signal exchanges descriptions within a process.
func signal(offerer, answerer *webrtc.PeerConnection) {
	offer, err := offerer.CreateOffer(nil)
	if err != nil {
		log.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(offerer)
	if err := offerer.SetLocalDescription(offer); err != nil {
		log.Fatal(err)
	}
	<-gathered
	if err := answerer.SetRemoteDescription(*offerer.LocalDescription()); err != nil {
		log.Fatal(err)
	}
	answer, err := answerer.CreateAnswer(nil)
	if err != nil {
		log.Fatal(err)
	}
	gathered = webrtc.GatheringCompletePromise(answerer)
	if err := answerer.SetLocalDescription(answer); err != nil {
		log.Fatal(err)
	}
	<-gathered
	if err := offerer.SetRemoteDescription(*answerer.LocalDescription()); err != nil {
		log.Fatal(err)
	}
}
