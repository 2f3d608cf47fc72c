/**
 * Expressions that no text of the repository uses, with what to write instead.
 *
 * Each is a regular expression that matches whole words, in upper or lower case. An expression that has a
 * legitimate technical use is not listed, or is written so precisely that it does not match that use. Code
 * between backticks is not checked.
 */

export interface Unused {
  readonly expression: RegExp;
  readonly instead: string;
}

const LIST: readonly [expression: string, instead: string][] = [
  ['(can|could|to|may|must|is|are|not) be had', 'is available'],
  ['what becomes of', 'what happens to'],
  ['(is|are|was|were|be|been) told( of)?', 'is notified, receives, is passed'],
  ['(tells|tell) (it|them|him|everybody|nobody|the daemon|the client|systemd)', 'notifies, sends, reports'],
  ['(lets?|letting) go( of)?', 'releases, drops'],
  ['mend(s|ed|ing)?', 'fix'],
  ['whoever', 'the process that, the client that, any client that'],
  ['what there is', 'the existing ..., the state'],
  ['ha(s|ve) it to give', 'has, can grant'],
  ['go(es)? on', 'continues'],
  ['went on', 'continued'],
  ['is there again', 'is available again'],
  ['looks? after', 'manages'],
  ['gives? back|gave back|given back|giving back', 'releases, returns'],
  ['as many as may be', 'the maximum'],
  ['hold(s)? .{0,40} to (its|their) word', 'checks, verifies'],
  ['(its|their) word', 'its claims'],
  ['for good', 'permanently'],
  ['has (had|its) (say|way)', '(rewrite)'],
  ['says? so', 'prints it, reports it'],
  ['what (it|he|they) (says?|said)', 'its output, its message'],
  ['in (its|their) own time', '(rewrite)'],
  ['no more than that', '(rewrite)'],
  ['turns? (somebody|them|it|him) away', 'rejects'],
  ['somebody', 'another process, a client'],
  ['anybody', 'any user, any process'],
  ['nobody', 'no user, no process'],
  ['everybody', 'all users, every process'],
  ['hung up|hangs up|hang up', 'closed the connection'],
  ['is any the wiser', '(rewrite)'],
  ['of its own accord', 'by itself'],
  ['comes? to nothing', 'fails'],
  ['(is|are) at an end', 'has ended'],
  ['stands? for it', '(rewrite)'],
  ['how (it|they|things) stands?', 'the state'],
  ['bear(s)? with', '(rewrite)'],
  ['(hears?|heard) of', 'is notified of, detects'],
  ['for ever', 'permanently, without end'],
  ['(is|was|are|were) said (of|to be|so)', 'is described as, is declared as'],
  ['speaks? of', 'names, describes'],
];

export const UNUSED: readonly Unused[] = LIST.map(([expression, instead]) => ({
  expression: new RegExp(`\\b(?:${expression})\\b`, 'gi'),
  instead,
}));
