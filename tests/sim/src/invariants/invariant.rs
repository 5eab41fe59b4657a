//! The check of a property: what it is told, kind by kind.

use crate::invariants::{Scene, Verdict};
use crate::observation::{
    Applied, CallEnded, CallStarted, CallerGone, CallerThawed, Cancelled, Closed, Crashed,
    Delivered, Destroyed, Handed, Observation, Removed, Replaced, Resumed, Sent, Started, Stepped,
    Stopped, Synced, Told,
};
use crate::oracle::Carried;

/// The check of one property. What it keeps between observations is its own; kinds that it does
/// not name are no concern of it.
pub(crate) trait Invariant {
    fn on_call_started(&mut self, _scene: Scene<'_>, _started: CallStarted<'_>) -> Verdict {
        Ok(())
    }

    /// A call ended, perhaps again; [`Facts::ended`](crate::oracle::Facts::ended) tells what is
    /// known of a first end.
    fn on_call_ended(&mut self, _scene: Scene<'_>, _ended: CallEnded<'_>) -> Verdict {
        Ok(())
    }

    fn on_cancelled(&mut self, _scene: Scene<'_>, _cancelled: Cancelled) -> Verdict {
        Ok(())
    }

    fn on_caller_gone(&mut self, _scene: Scene<'_>, _gone: CallerGone) -> Verdict {
        Ok(())
    }

    fn on_caller_thawed(&mut self, _scene: Scene<'_>, _thawed: CallerThawed) -> Verdict {
        Ok(())
    }

    fn on_sent(&mut self, _scene: Scene<'_>, _sent: Sent<'_>) -> Verdict {
        Ok(())
    }

    fn on_closed(&mut self, _scene: Scene<'_>, _closed: Closed) -> Verdict {
        Ok(())
    }

    fn on_delivered(&mut self, _scene: Scene<'_>, _delivered: Delivered<'_>) -> Verdict {
        Ok(())
    }

    fn on_handed(&mut self, _scene: Scene<'_>, _handed: Handed<'_>) -> Verdict {
        Ok(())
    }

    fn on_applied(&mut self, _scene: Scene<'_>, _applied: Applied<'_>) -> Verdict {
        Ok(())
    }

    fn on_synced(&mut self, _scene: Scene<'_>, _synced: Synced<'_>) -> Verdict {
        Ok(())
    }

    fn on_removed(&mut self, _scene: Scene<'_>, _removed: Removed<'_>) -> Verdict {
        Ok(())
    }

    fn on_crashed(&mut self, _scene: Scene<'_>, _crashed: Crashed<'_>) -> Verdict {
        Ok(())
    }

    fn on_stopped(&mut self, _scene: Scene<'_>, _stopped: Stopped) -> Verdict {
        Ok(())
    }

    fn on_started(&mut self, _scene: Scene<'_>, _started: Started<'_>) -> Verdict {
        Ok(())
    }

    fn on_resumed(&mut self, _scene: Scene<'_>, _resumed: Resumed) -> Verdict {
        Ok(())
    }

    fn on_replaced(&mut self, _scene: Scene<'_>, _replaced: Replaced) -> Verdict {
        Ok(())
    }

    fn on_destroyed(&mut self, _scene: Scene<'_>, _destroyed: Destroyed<'_>) -> Verdict {
        Ok(())
    }

    fn on_told(&mut self, _scene: Scene<'_>, _told: Told<'_>) -> Verdict {
        Ok(())
    }

    fn on_stepped(&mut self, _scene: Scene<'_>, _stepped: Stepped<'_>) -> Verdict {
        Ok(())
    }

    /// What was sent or applied brought a record that is worth a look, see
    /// [`Facts::carried`](crate::oracle::Facts::carried); comes after the method of its kind.
    fn on_carried(&mut self, _scene: Scene<'_>, _carried: Carried<'_>) -> Verdict {
        Ok(())
    }

    /// Nothing is under way, every node of `whole` is up, undamaged and connected to the others of
    /// `whole`, and every key was compared, or read, since.
    fn at_rest(&mut self, _scene: Scene<'_>, _whole: &[usize]) -> Verdict {
        Ok(())
    }

    /// Something happened: it goes to the method of its kind. No check writes this anew; it
    /// stands here so that a check which names few kinds costs little.
    fn observe(&mut self, scene: Scene<'_>, seen: &Observation<'_>) -> Verdict {
        match *seen {
            Observation::CallStarted(started) => self.on_call_started(scene, started),
            Observation::CallEnded(ended) => self.on_call_ended(scene, ended),
            Observation::Cancelled(cancelled) => self.on_cancelled(scene, cancelled),
            Observation::CallerGone(gone) => self.on_caller_gone(scene, gone),
            Observation::CallerThawed(thawed) => self.on_caller_thawed(scene, thawed),
            Observation::Sent(sent) => self.on_sent(scene, sent),
            Observation::Closed(closed) => self.on_closed(scene, closed),
            Observation::Delivered(delivered) => self.on_delivered(scene, delivered),
            Observation::Handed(handed) => self.on_handed(scene, handed),
            Observation::Applied(applied) => self.on_applied(scene, applied),
            Observation::Synced(synced) => self.on_synced(scene, synced),
            Observation::Removed(removed) => self.on_removed(scene, removed),
            Observation::Crashed(crashed) => self.on_crashed(scene, crashed),
            Observation::Stopped(stopped) => self.on_stopped(scene, stopped),
            Observation::Started(started) => self.on_started(scene, started),
            Observation::Resumed(resumed) => self.on_resumed(scene, resumed),
            Observation::Replaced(replaced) => self.on_replaced(scene, replaced),
            Observation::Destroyed(destroyed) => self.on_destroyed(scene, destroyed),
            Observation::Told(told) => self.on_told(scene, told),
            Observation::Stepped(stepped) => self.on_stepped(scene, stepped),
        }?;
        match scene.carried {
            Some(carried) => self.on_carried(scene, carried),
            None => Ok(()),
        }
    }
}
