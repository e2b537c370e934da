// The servers in Go: serve echo|http|stream|function
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	web "net/http"
	"os"
	"syscall"
)

const buffer, chunks = 1024, 16

const body = "A green thread waits for its next request as a plain function would, and thousands " +
	"of others have their turn until then, on one thread of the system.\n"

var (
	chunk    = bytes.Repeat([]byte("x"), 64<<10)
	response = []byte(fmt.Sprintf(
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
)

func echo(stream net.Conn) error {
	data := make([]byte, buffer)
	for {
		length, err := stream.Read(data)
		if err != nil {
			return err
		}
		if _, err := stream.Write(data[:length]); err != nil {
			return err
		}
	}
}

func http(stream net.Conn) error {
	data, filled := make([]byte, buffer), 0
	for {
		length, err := stream.Read(data[filled:])
		if err != nil {
			return err
		}
		filled += length
		for {
			head := bytes.Index(data[:filled], []byte("\r\n\r\n"))
			if head < 0 {
				break
			}
			if _, err := stream.Write(response); err != nil {
				return err
			}
			copy(data, data[head+4:filled])
			filled -= head + 4
		}
	}
}

func flow(stream net.Conn) error {
	data := make([]byte, buffer)
	for {
		length, err := stream.Read(data)
		if err != nil {
			return err
		}
		for i := 0; i < length*chunks; i++ {
			if _, err := stream.Write(chunk); err != nil {
				return err
			}
		}
	}
}

func page(writer web.ResponseWriter, _ *web.Request) {
	writer.Header().Set("Content-Type", "text/plain")
	writer.Write([]byte(body))
}

func sendAsFastAsItGoes(_, _ string, socket syscall.RawConn) (err error) {
	controlled := socket.Control(func(fd uintptr) {
		err = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "reno")
	})
	if controlled != nil {
		return controlled
	}
	return err
}

// Go sets TCP_NODELAY by itself.
func main() {
	answer := map[string]func(net.Conn) error{"echo": echo, "http": http, "stream": flow}[os.Args[1]]
	config := net.ListenConfig{Control: sendAsFastAsItGoes}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	if os.Args[1] == "function" {
		panic(web.Serve(listener, web.HandlerFunc(page)))
	}
	for {
		stream, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer stream.Close()
			answer(stream)
		}()
	}
}
