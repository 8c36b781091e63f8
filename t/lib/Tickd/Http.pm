package Tickd::Http;

# A raw HTTP/1 client for tests: it sends exactly the bytes it is told to, reads one response at
# a time, holds it to the letter of RFC 9112, and keeps what follows (pipelining).
#
# Nothing here dies on what a server does: a broken response is a hash with {error}, so that a
# test fails with the reason.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Errno qw(EAGAIN EWOULDBLOCK EINTR EINPROGRESS);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_LINGER SHUT_WR);
use Time::HiRes qw(time);
use Exporter 'import';

our @EXPORT_OK = qw(url encode show);

$SIG{PIPE} = 'IGNORE';

my $TOKEN = qr/[!#\$%&'*+\-.^_`|~0-9A-Za-z]+/;

# encode(TEXT): percent-encoded for a query string.
sub encode ($text) {
    return $text =~ s/([^A-Za-z0-9._~:-])/sprintf '%%%02X', ord $1/ger;
}

# url(PATH, KEY => VALUE, ...): an undefined VALUE leaves its parameter out.
sub url ($path, @pairs) {
    my @query;
    while (my ($key, $value) = splice @pairs, 0, 2) {
        push @query, encode($key) . '=' . encode($value) if defined $value;
    }
    return @query ? "$path?" . join '&', @query : $path;
}

# show(BYTES): printable, for messages.
sub show ($bytes) {
    return '(undef)' if !defined $bytes;
    my $cut = length $bytes > 400 ? substr($bytes, 0, 400) : $bytes;
    $cut =~ s/\r/\\r/g;
    $cut =~ s/\n/\\n/g;
    $cut =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    return $cut . (length $bytes > 400 ? '... (' . length($bytes) . ' bytes)' : '');
}

# connect(host =>, port =>) or connect(path =>); timeout => seconds for each step; rcvbuf => bytes.
sub connect ($class, %opt) {
    my $socket = defined $opt{path}
        ? IO::Socket::UNIX->new(Peer => $opt{path})
        : IO::Socket::IP->new(
            PeerHost => $opt{host}, PeerPort => $opt{port},
            $opt{rcvbuf} ? (Sockopts => [ [ SOL_SOCKET, SO_RCVBUF, $opt{rcvbuf} ] ]) : (),
        );
    return undef if !$socket;
    $socket->blocking(0);
    return bless {
        socket => $socket,
        select => IO::Select->new($socket),
        buffer => '',
        eof => 0,
        timeout => $opt{timeout} // 10,
        host => $opt{host_header} // 'localhost',
    }, $class;
}

sub socket ($self) { return $self->{socket} }

# send(BYTES): all of them. True, or false when the peer went away or the time was up.
sub send ($self, $bytes) {
    my $deadline = time + $self->{timeout};
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $at, $at;
        if (defined $n) {
            $at += $n;
            next;
        }
        next if $!{EINTR};
        return 0 if !$!{EAGAIN} && !$!{EWOULDBLOCK};
        return 0 if time >= $deadline;
        # A server that answers while we still send must not wait for us to read.
        my ($readable, $writable) = IO::Select->select(
            $self->{eof} ? undef : $self->{select}, $self->{select}, undef, $deadline - time);
        $self->_receive(0) if $readable && @$readable;
    }
    return 1;
}

# finish_sending(): half-close; the server sees the end of our stream.
sub finish_sending ($self) {
    return shutdown $self->{socket}, SHUT_WR;
}

sub close ($self) {
    CORE::close $self->{socket} if $self->{socket};
    $self->{socket} = undef;
    return;
}

# reset(): close with a RST.
sub reset ($self) {
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    return $self->close;
}

# _receive(WAIT): append what comes to the buffer. False at the end of the stream or after WAIT seconds.
sub _receive ($self, $wait) {
    return 0 if $self->{eof};
    my $deadline = time + $wait;
    while (1) {
        my $n = sysread $self->{socket}, $self->{buffer}, 1 << 18, length $self->{buffer};
        return 1 if $n;
        if (defined $n) {
            $self->{eof} = 1;
            return 0;
        }
        next if $!{EINTR};
        if (!$!{EAGAIN} && !$!{EWOULDBLOCK}) {
            $self->{eof} = 1;
            $self->{reset} = "$!";
            return 0;
        }
        my $left = $deadline - time;
        return 0 if $left <= 0;
        $self->{select}->can_read($left);
    }
}

# _need(BYTES, DEADLINE): until the buffer has as many.
sub _need ($self, $bytes, $deadline) {
    while (length $self->{buffer} < $bytes) {
        my $left = $deadline - time;
        return 0 if $left <= 0 || !$self->_receive($left);
    }
    return 1;
}

# _line(DEADLINE): the next line without its CRLF, or undef.
sub _line ($self, $deadline) {
    my $from = 0;
    while (1) {
        my $at = index $self->{buffer}, "\n", $from;
        if ($at >= 0) {
            my $line = substr $self->{buffer}, 0, $at + 1, '';
            return $line;
        }
        $from = length $self->{buffer};
        return undef if $from > 1 << 20;
        my $left = $deadline - time;
        return undef if $left <= 0 || !$self->_receive($left);
    }
}

sub _why ($self) {
    return $self->{reset} ? "connection broke ($self->{reset})"
        : $self->{eof} ? 'connection closed' : 'nothing came in time';
}

# at_end(SECONDS): whether the server closes, without another byte, in that time.
sub at_end ($self, $seconds = $self->{timeout}) {
    my $deadline = time + $seconds;
    while (!$self->{eof} && $self->{buffer} eq '') {
        my $left = $deadline - time;
        last if $left <= 0;
        $self->_receive($left);
    }
    return $self->{eof} && $self->{buffer} eq '';
}

# drain(SECONDS): all that comes until the server closes or the time is up, as raw bytes.
sub drain ($self, $seconds = $self->{timeout}) {
    my $deadline = time + $seconds;
    while (!$self->{eof}) {
        my $left = $deadline - time;
        last if $left <= 0;
        $self->_receive($left);
    }
    return delete($self->{buffer}) . ($self->{buffer} = '');
}

sub leftover ($self) { return $self->{buffer} }

# quiet(): true if nothing at all is there to be read now.
sub quiet ($self) {
    $self->_receive(0);
    return $self->{buffer} eq '' && !$self->{eof};
}

# response(METHOD): read one response. A hash: status, reason, version, headers (lower-case name
# => value), fields (as sent), framing (none|length|chunked), body, chunks, close (whether the
# server said so), interim (1xx statuses before it); or {error} with what there was of it.
sub response ($self, $method = 'GET') {
    my $deadline = time + $self->{timeout};
    my @interim;
    while (1) {
        my $r = $self->_head($deadline);
        $r->{interim} = \@interim;
        return $r if $r->{error};
        if ($r->{status} >= 100 && $r->{status} < 200) {
            push @interim, $r->{status};
            return { %$r, error => "interim $r->{status} with a body" }
                if exists $r->{headers}{'content-length'} || exists $r->{headers}{'transfer-encoding'};
            next;
        }
        $self->_body($r, $method, $deadline);
        $r->{close} = ($r->{headers}{connection} // '') =~ /\bclose\b/i
            || ($r->{version} eq '1.0' && ($r->{headers}{connection} // '') !~ /\bkeep-alive\b/i);
        return $r;
    }
}

sub _head ($self, $deadline) {
    my $r = { status => 0, headers => {}, fields => [], body => '', framing => 'none' };
    my $line = $self->_line($deadline);
    return { %$r, error => 'no status line: ' . $self->_why . ', have "' . show($self->{buffer}) . '"' }
        if !defined $line;
    $line =~ m{\AHTTP/1\.([01]) ([1-5]\d\d) ([\t -~]*)\r\n\z}
        or return { %$r, error => 'bad status line "' . show($line) . '"' };
    @$r{qw(version status reason)} = ("1.$1", $2, $3);
    my $size = length $line;
    while (1) {
        $line = $self->_line($deadline);
        return { %$r, error => 'head ends early: ' . $self->_why } if !defined $line;
        $size += length $line;
        last if $line eq "\r\n";
        $line =~ /\A($TOKEN):[ \t]*([!-~](?:[\t -~]*[!-~])?)?[ \t]*\r\n\z/
            or return { %$r, error => 'bad header line "' . show($line) . '"' };
        my ($name, $value) = (lc $1, $2 // '');
        push @{ $r->{fields} }, [ $1, $value ];
        return { %$r, error => "header $name twice" }
            if exists $r->{headers}{$name} && $name !~ /\A(?:vary|set-cookie|via|allow)\z/;
        $r->{headers}{$name} = exists $r->{headers}{$name} ? "$r->{headers}{$name}, $value" : $value;
    }
    $r->{head_size} = $size;
    return $r;
}

sub _body ($self, $r, $method, $deadline) {
    my ($length, $coding) = @{ $r->{headers} }{qw(content-length transfer-encoding)};
    if (defined $length && defined $coding) {
        $r->{error} = 'Content-Length and Transfer-Encoding in one response';
        return;
    }
    if (defined $length && $length !~ /\A(?:0|[1-9]\d{0,17})\z/) {
        $r->{error} = "bad Content-Length '$length'";
        return;
    }
    if (defined $coding && $coding ne 'chunked') {
        $r->{error} = "bad Transfer-Encoding '$coding'";
        return;
    }
    if ($r->{status} == 204 && (defined $length || defined $coding)) {
        $r->{error} = 'a 204 with framing headers (RFC 9110 8.6)';
        return;
    }
    return if $method eq 'HEAD' || $r->{status} == 204 || $r->{status} == 304;
    if (defined $coding) {
        $r->{framing} = 'chunked';
        if ($r->{version} eq '1.0') {
            $r->{error} = 'a chunked HTTP/1.0 response';
            return;
        }
        return $self->_chunked($r, $deadline);
    }
    if (!defined $length) {
        $r->{error} = 'neither Content-Length nor Transfer-Encoding';
        return;
    }
    $r->{framing} = 'length';
    if (!$self->_need($length, $deadline)) {
        $r->{body} = delete $self->{buffer};
        $self->{buffer} = '';
        $r->{error} = "body has " . length($r->{body}) . " of $length bytes: " . $self->_why;
        return;
    }
    if ($length == length $self->{buffer}) {
        $r->{body} = $self->{buffer};
        $self->{buffer} = '';
    } else {
        $r->{body} = substr $self->{buffer}, 0, $length, '';
    }
    return;
}

sub _chunked ($self, $r, $deadline) {
    $r->{chunks} = [];
    while (1) {
        my $line = $self->_line($deadline);
        if (!defined $line) {
            $r->{error} = 'chunked body ends before its last chunk: ' . $self->_why;
            return;
        }
        if ($line !~ /\A([0-9A-Fa-f]{1,15})\r\n\z/) {
            $r->{error} = 'bad chunk line "' . show($line) . '"';
            return;
        }
        my $size = hex $1;
        last if !$size;
        push @{ $r->{chunks} }, $size;
        if (!$self->_need($size + 2, $deadline)) {
            $r->{body} .= substr $self->{buffer}, 0, $size, '';
            $r->{error} = "chunk of $size bytes cut short: " . $self->_why;
            return;
        }
        if ($r->{body} eq '' && length $self->{buffer} == $size + 2) {
            $r->{body} = $self->{buffer};
            $self->{buffer} = substr $r->{body}, $size, 2, '';
        } else {
            $r->{body} .= substr $self->{buffer}, 0, $size, '';
        }
        if (substr($self->{buffer}, 0, 2, '') ne "\r\n") {
            $r->{error} = 'no CRLF after a chunk';
            return;
        }
    }
    my $line = $self->_line($deadline);
    $r->{error} = 'last chunk not followed by an empty line: "' . show($line) . '"'
        if !defined $line || $line ne "\r\n";
    return;
}

# request(METHOD, TARGET, HEADER => VALUE, ...): send it and read its response. Host is added
# unless given (undef: leave out); HTTP/1.1.
sub request ($self, $method, $target, @headers) {
    my $head = "$method $target HTTP/1.1\r\n";
    my ($host, $lines) = ($self->{host}, '');
    while (my ($name, $value) = splice @headers, 0, 2) {
        if (lc $name eq 'host') {
            $host = $value;
            next;
        }
        $lines .= "$name: $value\r\n";
    }
    $head .= "Host: $host\r\n" if defined $host;
    if (!$self->send("$head$lines\r\n")) {
        my $r = $self->response($method);
        $r->{error} //= 'could not send all of the request' if !$r->{status};
        return $r;
    }
    return $self->response($method);
}

sub get ($self, $target, @headers) { return $self->request('GET', $target, @headers) }

1;
