//! The kernel's protocol counters of one network namespace (`/proc/net/snmp`, `/proc/net/netstat`).

use serde::{Deserialize, Serialize};

use super::Millis;

/// Packets are counted in thousandths, so that short times add up.
const THOUSAND: u64 = 1000;

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    segments: u64,
    retransmitted: u64,
    fragments: u64,
    timeouts: u64,
    /// Datagrams that did not fit and must not be fragmented.
    pub fragment_failures: u64,
    /// ICMP echo requests sent.
    pub echoes: u64,
}

/// How well the traffic of a namespace does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// 351 retransmissions in 6,720 Mbit/s: hardly any.
    Healthy,
    /// 16,764 retransmissions in 248 Mbit/s: some in a hundred, and fragments where a proxy sends.
    Tunnelled {
        /// A proxy, whose datagrams are fragmented.
        proxy: bool,
    },
}

impl Counters {
    /// Lets traffic flow for a time.
    pub fn flow(&mut self, traffic: Traffic, elapsed: Millis) {
        let elapsed = elapsed.max(0) as u64;
        match traffic {
            Traffic::Healthy => {
                self.segments += 400 * elapsed;
                self.retransmitted += elapsed / 50;
            }
            Traffic::Tunnelled { proxy } => {
                self.segments += 120 * elapsed;
                self.retransmitted += 9 * elapsed;
                self.timeouts += elapsed / 5;
                if proxy {
                    self.fragments += 40 * elapsed;
                }
            }
        }
    }

    /// `/proc/net/snmp`, the lines that the lab models.
    pub fn snmp(&self) -> String {
        let segments = self.segments / THOUSAND;
        let fragments = self.fragments / THOUSAND;
        format!(
            "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits\n\
             Ip: 1 64 {segments} 0 0 0 0 0 {segments} {segments} 0 0 0 {fragments} {half} 0 {half} {failures} {fragments} {segments}\n\
             Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n\
             Icmp: {echoes} 0 0 0 0 0 0 0 0 {echoes} 0 0 0 0 {echoes} 0 0 0 0 0 0 0 0 {echoes} 0 0 0 0 0\n\
             Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n\
             Tcp: 1 200 120000 -1 120 340 4 2 12 {segments} {segments} {retransmitted} 0 9 0\n\
             Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n\
             Udp: {segments} 0 0 {segments} 0 0 0 0 0\n",
            half = fragments / 2,
            failures = self.fragment_failures,
            echoes = self.echoes,
            retransmitted = self.retransmitted / THOUSAND,
        )
    }

    /// `/proc/net/netstat`, the counters that the lab models.
    pub fn netstat(&self) -> String {
        let timeouts = self.timeouts / THOUSAND;
        format!(
            "TcpExt: SyncookiesSent TW TCPTimeouts TCPLostRetransmit TCPMTUPFail TCPMTUPSuccess\n\
             TcpExt: 0 31 {timeouts} {} 0 0\n\
             IpExt: InNoRoutes InTruncatedPkts InOctets OutOctets\n\
             IpExt: 0 0 {octets} {octets}\n",
            timeouts / 3,
            octets = self.segments / THOUSAND * 900,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str, protocol: &str, name: &str) -> u64 {
        let mut lines = text.lines().filter(|line| line.starts_with(protocol));
        let names: Vec<_> = lines.next().unwrap().split(' ').collect();
        let values: Vec<_> = lines.next().unwrap().split(' ').collect();
        assert_eq!(names.len(), values.len(), "{protocol}");
        values[names.iter().position(|n| *n == name).unwrap()]
            .parse()
            .unwrap()
    }

    #[test]
    fn a_tunnel_in_a_tunnel_retransmits_and_a_proxy_fragments() {
        let (mut bad, mut good) = (Counters::default(), Counters::default());
        bad.flow(Traffic::Tunnelled { proxy: true }, 10_000);
        good.flow(Traffic::Healthy, 10_000);
        let ratio = |c: &Counters| {
            column(&c.snmp(), "Tcp:", "RetransSegs") as f64
                / column(&c.snmp(), "Tcp:", "OutSegs") as f64
        };
        assert!(ratio(&bad) > 0.05, "{}", ratio(&bad));
        assert!(ratio(&good) < 0.001, "{}", ratio(&good));
        assert!(column(&bad.snmp(), "Ip:", "FragCreates") > 0);
        assert_eq!(column(&good.snmp(), "Ip:", "FragCreates"), 0);
        assert!(column(&bad.netstat(), "TcpExt:", "TCPTimeouts") > 0);
    }
}
