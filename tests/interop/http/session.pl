# Perl's XMLRPC::Lite: "client URL" calls what every server here offers and prints a line for each answer; "server"
# serves, and prints its port; its methods are called Methods.double and so on.
use strict;
use warnings;
use utf8;
binmode STDOUT, ":encoding(UTF-8)";
$| = 1;
my ($role, $url) = @ARGV;

if ($role eq "client") {
    require XMLRPC::Lite;
    my $far = XMLRPC::Lite->proxy($url, timeout => 30, keep_alive => 1);
    my $call = sub {
        my ($name, @args) = @_;
        my $found = $far->call($name, @args);
        print $found->fault ? "fault " . $found->faultstring : "value " . $found->result, "\n";
        return $found->fault ? undef : $found->result;
    };
    $call->("double", 8);
    $call->("double", 2.25);
    $call->("echo", XMLRPC::Data->type(string => "text <&>"));
    $call->("echo", XMLRPC::Data->type(base64 => "raw\x00"));
    $call->("kind", XMLRPC::Data->type(boolean => 1));
    $call->("kind", XMLRPC::Data->type(dateTime => "20260203T14:05:06"));
    $call->("kind", 5000000000);
    print "count ", scalar(@{$far->call("pair", [1, 2], {a => "b"})->result}), "\n";
    print "length ", length($far->call("echo", "x" x 1000000)->result), "\n";
    $call->("fail", "so");
    $call->("zzz");
    $call->("double", 1);
}
else {
    require XMLRPC::Transport::HTTP;
    {
        package Methods;
        sub double { my ($self, $n) = @_; return $n + $n; }
        sub echo { my ($self, $value) = @_; return $value; }
        sub pair { my ($self, @both) = @_; return [@both]; }
        sub large { return 5000000000; }
        sub raw { return XMLRPC::Data->type(base64 => "\x00\xff\r\n"); }
        sub fail { my ($self, $text) = @_; die "$text\n"; }
    }
    my $here = XMLRPC::Transport::HTTP::Daemon->new(LocalAddr => "127.0.0.1", LocalPort => 0, ReuseAddr => 1);
    $here->dispatch_to("Methods");
    print $here->url =~ /:(\d+)/, "\n";
    $here->handle;
}
